package io.qfuse.fuse;

import java.io.IOException;

/** A mounted file system that is being served; safe for use by many threads. */
public interface TransportSession {

    /** Returns when the file system is unmounted and every request that was under way has been answered. */
    void awaitUnmount() throws InterruptedException;

    /**
     * Unmounts.
     *
     * @param force whether to cut off those who still use it; without it they make the call fail
     */
    void unmount(boolean force) throws IOException;
}
