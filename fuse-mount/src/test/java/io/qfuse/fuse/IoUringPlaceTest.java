package io.qfuse.fuse;

/** The conformance of the io_uring transport, where the host has it. */
final class IoUringPlaceTest extends PlaceConformance {

    @Override
    Transport transport() {
        return Transport.IO_URING;
    }
}
