package io.qfuse.fuse.kernel;

/** What the kernel said of itself in INIT; written once, before any other request is read. */
final class Negotiated {

    private volatile int kernelMinor;

    void kernelMinor(int minor) {
        kernelMinor = minor;
    }

    /** Whether INIT has been seen. */
    boolean done() {
        return kernelMinor != 0;
    }

    /** Whether direct I/O of one client and cached I/O of another see the same bytes. */
    boolean directIoIsCoherent() {
        return kernelMinor >= Protocol.MINOR_COHERENT_DIRECT_IO;
    }
}
