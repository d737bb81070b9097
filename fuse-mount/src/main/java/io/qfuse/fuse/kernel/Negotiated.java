package io.qfuse.fuse.kernel;

/** What the kernel and the server have agreed on in INIT; written once, before any other request is read. */
final class Negotiated {

    private final boolean wantsRings;
    private volatile int kernelMinor;
    private volatile boolean overRings;

    /**
     * Nothing yet.
     *
     * @param wantsRings whether requests shall come over io_uring where the kernel offers it
     */
    Negotiated(boolean wantsRings) {
        this.wantsRings = wantsRings;
    }

    void kernelMinor(int minor) {
        kernelMinor = minor;
    }

    /** Settles whether requests come over io_uring, and says so. */
    boolean offerRings(boolean offered) {
        overRings = wantsRings && offered;
        return overRings;
    }

    /** Whether INIT has been seen. */
    boolean done() {
        return kernelMinor != 0;
    }

    /** Whether requests come over io_uring. */
    boolean overRings() {
        return overRings;
    }

    /** Whether direct I/O of one client and cached I/O of another see the same bytes. */
    boolean directIoIsCoherent() {
        return kernelMinor >= Protocol.MINOR_COHERENT_DIRECT_IO;
    }
}
