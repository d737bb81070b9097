package io.qfuse.fuse;

import jnr.ffi.LibraryLoader;
import jnr.ffi.Platform;

/**
 * Marks threads that write back what others wait for.
 *
 * <p>A file system in a loop device on a served file is written back through the server. If the server's own writes were
 * throttled for too many dirty pages, or had to free memory by waiting for such pages, they would wait for themselves. The kernel
 * spares marked threads both. The mark goes over to threads and processes that a marked one starts.
 *
 * <p>It takes CAP_SYS_RESOURCE.
 */
public final class IoFlusher {

    private static final Libc LIBC =
            LibraryLoader.create(Libc.class).load(Platform.getNativePlatform().getStandardCLibraryName());

    private static final int PR_SET_IO_FLUSHER = 57;
    private static final int PR_GET_IO_FLUSHER = 58;

    private IoFlusher() {}

    /** The C library; public because the generated code lies in another class loader. */
    public interface Libc {
        int prctl(int option, long argument2, long argument3, long argument4, long argument5);
    }

    /** Marks the calling thread where that is permitted; without the mark all works, but under memory pressure. */
    public static void markThisThread() {
        LIBC.prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
    }

    /** Whether this process may mark its threads: the kernel answers nobody else. */
    static boolean permitted() {
        return LIBC.prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) >= 0;
    }
}
