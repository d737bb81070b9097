package io.qfuse.cli;

import java.util.logging.LogManager;

/**
 * Keeps the log open to the very end: the usual manager closes it when a signal begins the shutdown, and what an unmount then has
 * to say would be lost. Public because the JDK makes it by its name.
 */
public final class LastingLogManager extends LogManager {

    @Override
    public void reset() {
        // Lines are written at once, so there is nothing to close.
    }
}
