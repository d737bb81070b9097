package io.qfuse.fuse;

/** How requests come from the kernel to the file system. */
public enum Transport {
    /** Java threads read /dev/fuse themselves: the default, and the fast one. */
    KERNEL,
    /** libfuse2 through jnr-fuse, for hosts where the other one does not work. */
    JNR_FUSE
}
