package io.qfuse.fuse;

/** The conformance of the libfuse2 transport. */
final class JnrFuseMountTest extends MountConformance {

    @Override
    Transport transport() {
        return Transport.JNR_FUSE;
    }
}
