package io.qfuse.fuse;

final class JnrFuseSnapshotsTest extends SnapshotsConformance {

    @Override
    Transport transport() {
        return Transport.JNR_FUSE;
    }
}
