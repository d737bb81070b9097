package io.qfuse.fuse.jnr;

import jnr.ffi.LibraryLoader;
import jnr.ffi.Platform;
import jnr.ffi.Runtime;
import ru.serce.jnrfuse.struct.FuseOperations;

/**
 * The functions of libfuse2 that run a session step by step, and the system calls that feed it.
 *
 * <p>Several names have old versions in the library beside the current one, and a plain lookup of {@code fuse_new} finds an
 * old one with other arguments. {@code fuse_setup} is found in its current version, and does the same and the mount.
 */
final class Libfuse2 {

    private Libfuse2() {}

    /** Loads the library; an {@link UnsatisfiedLinkError} says that it is not there. */
    static Functions load() {
        return LibraryLoader.create(Functions.class)
                .failImmediately()
                .library("libfuse.so.2")
                .library(Platform.getNativePlatform().getStandardCLibraryName())
                .load();
    }

    /** The error number of this thread's last system call that failed. */
    static int errno() {
        return Runtime.getSystemRuntime().getLastError();
    }

    /** Public because the generated code lies in another class loader. */
    public interface Functions {
        long fuse_setup(
                int count,
                String[] arguments,
                FuseOperations operations,
                long operationsSize,
                long[] mountPoint,
                int[] multithreaded,
                long userData);

        long fuse_get_session(long fuse);

        long fuse_session_next_chan(long session, long channel);

        int fuse_chan_fd(long channel);

        long fuse_chan_bufsize(long channel);

        void fuse_session_process(long session, long buffer, long length, long channel);

        void fuse_remove_signal_handlers(long session);

        void fuse_destroy(long fuse);

        long read(int fd, long address, long length);

        long write(int fd, long address, long length);
    }
}
