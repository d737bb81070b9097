package io.qfuse.fuse;

/** How requests come from the kernel to the file system. */
public enum Transport {
    /** Java threads read /dev/fuse themselves: the default, and the fast one. */
    KERNEL,
    /** As {@link #KERNEL}, over io_uring where the host has FUSE over io_uring: less work a request, for many clients. */
    IO_URING,
    /** libfuse2 through jnr-fuse, for hosts where the other one does not work. */
    JNR_FUSE
}
