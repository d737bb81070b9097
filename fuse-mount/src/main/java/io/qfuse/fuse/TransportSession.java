package io.qfuse.fuse;

/** A mounted file system that is being served; safe for use by many threads. */
public interface TransportSession {

    /**
     * Returns when the file system is gone, by an unmount or because the kernel cut the connection, and every request that
     * was under way has been answered. May be called again.
     */
    void awaitUnmount() throws InterruptedException;
}
