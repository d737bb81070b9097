package io.qfuse.cli;

import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.Logger;

/** What the layers below have to say while they serve: on stderr, a line for each. */
final class ServerLog {

    static {
        // Before the first logger is made.
        System.setProperty("java.util.logging.manager", LastingLogManager.class.getName());
    }

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
        // Made now also where nothing is to be set: once a shutdown has begun, none would be.
        Handler[] handlers = Logger.getLogger("").getHandlers();
        if (verbose) {
            ALL.setLevel(Level.FINE);
            for (Handler handler : handlers) {
                handler.setLevel(Level.FINE);
            }
        }
    }
}
