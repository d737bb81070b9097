package io.qfuse.fuse;

final class KernelPlaceTest extends PlaceConformance {

    @Override
    Transport transport() {
        return Transport.KERNEL;
    }
}
