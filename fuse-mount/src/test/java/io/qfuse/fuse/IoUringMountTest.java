package io.qfuse.fuse;

/** The conformance of the io_uring transport, where the host has it. */
final class IoUringMountTest extends MountConformance {

    @Override
    Transport transport() {
        return Transport.IO_URING;
    }
}
