package io.qfuse.cli;

import java.io.IOException;

/** What a command could not do, in the words that the user reads. */
final class Failure extends IOException {

    private static final long serialVersionUID = 1L;

    /**
     * A failure about one thing.
     *
     * @param what the thing, most often a path
     * @param why the reason
     */
    Failure(Object what, String why) {
        super(what + ": " + why);
    }
}
