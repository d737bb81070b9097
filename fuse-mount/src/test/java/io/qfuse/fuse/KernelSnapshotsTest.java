package io.qfuse.fuse;

final class KernelSnapshotsTest extends SnapshotsConformance {

    @Override
    Transport transport() {
        return Transport.KERNEL;
    }
}
