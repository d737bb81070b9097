package io.qfuse.it;

import io.qfuse.fuse.ErrnoException;
import io.qfuse.qcow2.io.NativeBuffer;
import java.nio.file.Path;
import jnr.ffi.LibraryLoader;
import jnr.ffi.Runtime;

/**
 * An open file by system calls, among them those that Java does not have; each fails with its error number. Bytes lie page aligned in
 * memory: the kernel cuts large direct requests where pages of memory end, and what is cut within a sector, a killed server leaves torn.
 */
final class RawFile implements AutoCloseable {

    static final int KEEP_SIZE = 0x01;
    static final int PUNCH_HOLE = 0x02;
    static final int ZERO_RANGE = 0x10;

    private static final int SEEK_DATA = 3;
    private static final int SEEK_HOLE = 4;
    private static final int O_RDWR = 2;
    private static final int O_DIRECT = System.getProperty("os.arch").equals("aarch64") ? 0200000 : 040000;

    private static final Libc LIBC = LibraryLoader.create(Libc.class).load("c");
    private static final Runtime RUNTIME = Runtime.getRuntime(LIBC);

    private final int fd;

    private RawFile(int fd) {
        this.fd = fd;
    }

    /** Through the page cache, for reading and writing. */
    static RawFile buffered(Path path) throws ErrnoException {
        return new RawFile((int) checked(LIBC.open(path.toString(), O_RDWR)));
    }

    /** Past the page cache, for reading and writing. */
    static RawFile direct(Path path) throws ErrnoException {
        return new RawFile((int) checked(LIBC.open(path.toString(), O_RDWR | O_DIRECT)));
    }

    /** What one pread(2) gives. */
    byte[] read(long offset, int length) throws ErrnoException {
        try (NativeBuffer buffer = NativeBuffer.allocate(Math.max(1, length))) {
            byte[] bytes = new byte[(int) checked(LIBC.pread(fd, buffer.address(), length, offset))];
            NativeBuffer.get(buffer.address(), bytes, 0, bytes.length);
            return bytes;
        }
    }

    /** One pwrite(2); gives how many bytes it took. */
    int write(long offset, byte[] bytes) throws ErrnoException {
        try (NativeBuffer buffer = NativeBuffer.allocate(Math.max(1, bytes.length))) {
            NativeBuffer.put(buffer.address(), bytes, 0, bytes.length);
            return (int) checked(LIBC.pwrite(fd, buffer.address(), bytes.length, offset));
        }
    }

    /** fallocate(2). */
    void allocate(int mode, long offset, long length) throws ErrnoException {
        checked(LIBC.fallocate(fd, mode, offset, length));
    }

    /** ftruncate(2). */
    void truncate(long size) throws ErrnoException {
        checked(LIBC.ftruncate(fd, size));
    }

    /** fsync(2). */
    void sync() throws ErrnoException {
        checked(LIBC.fsync(fd));
    }

    /** The first byte of data at or behind that offset. */
    long seekData(long offset) throws ErrnoException {
        return checked(LIBC.lseek(fd, offset, SEEK_DATA));
    }

    /** The first byte of a hole at or behind that offset. */
    long seekHole(long offset) throws ErrnoException {
        return checked(LIBC.lseek(fd, offset, SEEK_HOLE));
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

    /** The C library. */
    public interface Libc {
        int open(CharSequence path, int flags);

        int close(int fd);

        int fallocate(int fd, int mode, long offset, long length);

        long lseek(int fd, long offset, int whence);

        int ftruncate(int fd, long size);

        int fsync(int fd);

        long pread(int fd, long address, long length, long offset);

        long pwrite(int fd, long address, long length, long offset);

        String strerror(int errno);
    }
}
