package io.qfuse.fuse;

final class JnrFusePlaceTest extends PlaceConformance {

    @Override
    Transport transport() {
        return Transport.JNR_FUSE;
    }
}
