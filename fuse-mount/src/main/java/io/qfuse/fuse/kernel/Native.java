package io.qfuse.fuse.kernel;

import jnr.ffi.LibraryLoader;
import jnr.ffi.Platform;
import jnr.ffi.Runtime;

/**
 * The system calls of this package. Addresses travel as plain {@code long}s: a call with primitives only allocates
 * nothing.
 */
final class Native {

    static final int O_RDWR = 2;
    static final int O_CLOEXEC = 02000000;
    static final int O_PATH = 010000000;
    static final int O_NONBLOCK = 04000;
    static final int F_SETFL = 4;

    /** Room for a posix_spawn_file_actions_t: 80 bytes in glibc and in musl. */
    static final int SPAWN_FILE_ACTIONS_SIZE = 128;

    /** The one library; all its functions are safe for use by many threads. */
    static final Libc LIBC =
            LibraryLoader.create(Libc.class).load(Platform.getNativePlatform().getStandardCLibraryName());

    private static final Runtime RUNTIME = Runtime.getRuntime(LIBC);

    private Native() {}

    /** The error number of this thread's last call that failed. */
    static int errno() {
        return RUNTIME.getLastError();
    }

    /** The C library's functions; public because the generated code lies in another class loader. */
    public interface Libc {
        long calloc(long count, long size);

        void free(long address);

        int open(CharSequence path, int flags);

        int close(int fd);

        long read(int fd, long address, long length);

        long write(int fd, long address, long length);

        int fcntl(int fd, int command, long argument);

        int ioctl(int fd, long request, long argument);

        int mount(CharSequence source, CharSequence target, CharSequence type, long flags, CharSequence data);

        int umount2(CharSequence target, int flags);

        int statfs(CharSequence path, long buffer);

        int pipe2(long twoInts, int flags);

        int socketpair(int domain, int type, int protocol, long twoInts);

        long recvmsg(int socket, long message, int flags);

        int posix_spawn_file_actions_init(long actions);

        int posix_spawn_file_actions_adddup2(long actions, int from, int to);

        int posix_spawn_file_actions_destroy(long actions);

        int posix_spawn(
                long pid,
                CharSequence program,
                long actions,
                long attributes,
                CharSequence[] arguments,
                CharSequence[] environment);

        int waitpid(int pid, long status, int options);

        int munmap(long address, long length);

        int geteuid();

        int getegid();

        String strerror(int errno);
    }
}
