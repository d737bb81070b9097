package io.qfuse.qcow2.io;

import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import jnr.ffi.LibraryLoader;
import jnr.ffi.Runtime;

/** The system calls on host files, and the numbers of 64-bit Linux that go with them. */
final class Native {

    static final int O_RDONLY = 0;
    static final int O_RDWR = 2;
    static final int O_NONBLOCK = 0x800;
    static final int O_CLOEXEC = 0x80000;
    /** Names a file without opening it: a device or FIFO takes no notice. */
    static final int O_PATH = 0x200000;

    static final int SEEK_END = 2;
    static final int SEEK_DATA = 3;
    static final int SEEK_HOLE = 4;

    static final int FALLOC_KEEP_SIZE = 1;
    static final int FALLOC_PUNCH_HOLE = 2;
    static final int FALLOC_ZERO_RANGE = 16;

    static final int F_OFD_GETLK = 36;
    static final int F_OFD_SETLK = 37;

    static final int AT_EMPTY_PATH = 0x1000;
    static final int STATX_BASIC = 0x7ff;
    /** Where the fields of struct statx lie, and its size; unlike struct stat the same on every machine. */
    static final int STATX_LINKS = 16;

    static final int STATX_UID = 20;
    static final int STATX_GID = 24;
    static final int STATX_MODE = 28;
    static final int STATX_INODE = 32;
    static final int STATX_LENGTH = 40;
    static final int STATX_BLOCKS = 48;
    static final int STATX_DEVICE_MAJOR = 136;
    static final int STATX_DEVICE_MINOR = 140;
    static final int STATX_SIZE = 256;
    static final int S_IFMT = 0xf000;
    static final int S_IFDIR = 0x4000;
    static final int S_IFBLK = 0x6000;
    static final int S_IFREG = 0x8000;

    static final int ENOENT = 2;
    static final int EINTR = 4;
    static final int EIO = 5;
    static final int ENXIO = 6;
    static final int EAGAIN = 11;
    static final int EACCES = 13;
    static final int ENODEV = 19;
    static final int EISDIR = 21;
    static final int EINVAL = 22;
    static final int ENOLCK = 37;
    static final int ENOSYS = 38;
    static final int EOPNOTSUPP = 95;

    private static final LibC LIBC = LibraryLoader.create(LibC.class).load("c");
    private static final Runtime RUNTIME = Runtime.getRuntime(LIBC);

    private Native() {}

    /** The C library; primitive arguments only on what is called often, so that a call allocates nothing. */
    public interface LibC { // public inside a package-private class: the generated implementation lives elsewhere

        int open(byte[] path, int flags, int mode);

        int close(int fd);

        long pread(int fd, long address, long length, long offset);

        long pwrite(int fd, long address, long length, long offset);

        int fdatasync(int fd);

        int getpid();

        int sched_setaffinity(int thread, long size, long mask);

        int sched_getaffinity(int thread, long size, long mask);

        int fallocate(int fd, int mode, long offset, long length);

        int ftruncate(int fd, long length);

        long lseek(int fd, long offset, int whence);

        int statx(int directory, byte[] path, int flags, int mask, long buffer);

        int fcntl(int fd, int command, long argument);

        String strerror(int errno);
    }

    static LibC libc() {
        return LIBC;
    }

    /** The error number of this thread's last failed call. */
    static int errno() {
        return RUNTIME.getLastError();
    }

    static String describe(int errno) {
        return LIBC.strerror(errno);
    }

    /** Whether an error number says that the file system cannot do what was asked, rather than that it failed. */
    static boolean isUnsupported(int errno) {
        return errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL || errno == ENODEV;
    }

    /** A path as the C library takes it. */
    static byte[] cString(Path path) {
        String encoding = System.getProperty("sun.jnu.encoding");
        Charset charset = encoding == null ? StandardCharsets.UTF_8 : Charset.forName(encoding);
        return (path + "\0").getBytes(charset);
    }
}
