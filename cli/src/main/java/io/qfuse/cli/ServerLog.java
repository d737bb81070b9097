package io.qfuse.cli;

import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.Logger;

/** What the layers below have to say while they serve: on stderr, a line for each. */
final class ServerLog {

    // Held, because a logger that nobody holds forgets its level.
    private static final Logger ALL = Logger.getLogger("io.qfuse");

    private ServerLog() {}

    /**
     * Sets the form of the lines, before the first of them.
     *
     * @param verbose whether to tell failed requests that are nobody's fault, too
     */
    static void configure(boolean verbose) {
        System.setProperty("java.util.logging.SimpleFormatter.format", "%1$tF %1$tT qfuse: %5$s%6$s%n");
        if (verbose) {
            ALL.setLevel(Level.FINE);
            for (Handler handler : Logger.getLogger("").getHandlers()) {
                handler.setLevel(Level.FINE);
            }
        }
    }
}
