package io.qfuse.fuse;

/** The conformance of the kernel transport. */
final class KernelMountTest extends MountConformance {

    @Override
    Transport transport() {
        return Transport.KERNEL;
    }
}
