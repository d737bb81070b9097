package io.qfuse.fuse;

import java.nio.file.Path;
import java.util.Arrays;
import jnr.ffi.LibraryLoader;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;

/** System calls on one open file that Java does not have; each fails with its error number. */
final class Posix implements AutoCloseable {

    static final int O_RDONLY = 0;
    static final int O_WRONLY = 1;
    static final int O_RDWR = 2;
    static final int O_TRUNC = 01000;

    private static final Libc LIBC = LibraryLoader.create(Libc.class).load("c");
    private static final Runtime RUNTIME = Runtime.getRuntime(LIBC);

    private final int fd;

    private Posix(int fd) {
        this.fd = fd;
    }

    static Posix open(Path path, int flags) throws ErrnoException {
        return new Posix((int) checked(LIBC.open(path.toString(), flags)));
    }

    static void access(Path path, int mask) throws ErrnoException {
        checked(LIBC.access(path.toString(), mask));
    }

    static void chmod(Path path, int mode) throws ErrnoException {
        checked(LIBC.chmod(path.toString(), mode));
    }

    static void chown(Path path, int uid, int gid) throws ErrnoException {
        checked(LIBC.chown(path.toString(), uid, gid));
    }

    void fallocate(int mode, long offset, long length) throws ErrnoException {
        checked(LIBC.fallocate(fd, mode, offset, length));
    }

    long seek(long offset, int whence) throws ErrnoException {
        return checked(LIBC.lseek(fd, offset, whence));
    }

    void truncate(long size) throws ErrnoException {
        checked(LIBC.ftruncate(fd, size));
    }

    void sync() throws ErrnoException {
        checked(LIBC.fsync(fd));
    }

    byte[] read(long offset, int length) throws ErrnoException {
        byte[] bytes = new byte[length];
        int got = (int) checked(LIBC.pread(fd, bytes, length, offset));
        return Arrays.copyOf(bytes, got);
    }

    int write(long offset, byte[] bytes) throws ErrnoException {
        return (int) checked(LIBC.pwrite(fd, bytes, bytes.length, offset));
    }

    @Override
    public void close() throws ErrnoException {
        checked(LIBC.close(fd));
    }

    private static long checked(long result) throws ErrnoException {
        if (result < 0) {
            int errno = RUNTIME.getLastError();
            throw new ErrnoException(errno, LIBC.strerror(errno));
        }
        return result;
    }

    /** The memory of an array for the time of a call on a disk. */
    static Pointer memory(byte[] bytes) {
        Pointer memory = jnr.ffi.Memory.allocateDirect(RUNTIME, Math.max(1, bytes.length));
        memory.put(0, bytes, 0, bytes.length);
        return memory;
    }

    /** The C library. */
    public interface Libc {
        int open(CharSequence path, int flags);

        int close(int fd);

        int access(CharSequence path, int mask);

        int chmod(CharSequence path, int mode);

        int chown(CharSequence path, int uid, int gid);

        int fallocate(int fd, int mode, long offset, long length);

        long lseek(int fd, long offset, int whence);

        int ftruncate(int fd, long size);

        int fsync(int fd);

        long pread(int fd, byte[] into, long length, long offset);

        long pwrite(int fd, byte[] from, long length, long offset);

        String strerror(int errno);
    }
}
