package io.qfuse.qcow2.io;

import io.qfuse.qcow2.HostAccess;
import io.qfuse.qcow2.io.Native.LibC;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A regular file or block device through system calls. Reading and writing by native address and {@link #sync} allocate
 * nothing; calls are repeated until the whole range is done, and after a signal. What the file system cannot do (holes,
 * zero ranges, preallocation) is done by the next best means, in the end by writing zeroes.
 */
public final class NativeHostFile implements HostFile {

    private static final int SCRATCH = 256 << 10;
    private static final LibC LIBC = Native.libc();
    private static final byte[] EMPTY_PATH = {0};

    private static final String DESCRIPTORS = "/proc/self/fd/";

    private final Path path;
    private final int fd;
    private final boolean device;
    private final FileFate fate;
    private final HostCounts counts;
    /** Whether anything was changed; racing threads set the same. */
    private boolean changed;

    private final AtomicBoolean open = new AtomicBoolean(true);

    private NativeHostFile(Path path, int fd, boolean device, HostCounts counts) {
        this.path = path;
        this.fd = fd;
        this.device = device;
        this.fate = new FileFate(path, fd);
        this.counts = counts;
    }

    /**
     * Opens a file that exists. What is no regular file and no block device is not opened at all, not even to see what it is:
     * a FIFO would wake its writer, and some devices act on being opened.
     *
     * @param path the file; messages name it as given
     * @param writable whether it is opened for writing as well
     * @throws HostIoException where it cannot be opened, or is neither a regular file nor a block device
     */
    public static NativeHostFile open(Path path, boolean writable) throws IOException {
        return open(path, writable, new HostCounts());
    }

    /** Opens a file as {@link #open(Path, boolean)} does, and counts there what is asked of it. */
    public static NativeHostFile open(Path path, boolean writable, HostCounts counts) throws IOException {
        int named = open(path, Native.cString(path), Native.O_PATH | Native.O_CLOEXEC);
        try {
            int type = stat(path, named).mode & Native.S_IFMT;
            if (type == Native.S_IFDIR) {
                throw failure(path, "cannot open", Native.EISDIR);
            }
            if (type != Native.S_IFREG && type != Native.S_IFBLK) {
                throw new HostIoException(
                        path, "cannot open", Native.EINVAL, "neither a regular file nor a block device");
            }
            // The very file that was looked at, whatever its name leads to by now.
            byte[] link = Native.cString(Path.of(DESCRIPTORS + named));
            int flags = (writable ? Native.O_RDWR : Native.O_RDONLY) | Native.O_CLOEXEC | Native.O_NONBLOCK;
            return new NativeHostFile(path, open(path, link, flags), type == Native.S_IFBLK, counts);
        } finally {
            LIBC.close(named);
        }
    }

    private static int open(Path path, byte[] name, int flags) throws HostIoException {
        int fd;
        do {
            fd = LIBC.open(name, flags, 0);
        } while (fd < 0 && Native.errno() == Native.EINTR);
        if (fd < 0) {
            throw failure(path, "cannot open", Native.errno());
        }
        return fd;
    }

    /** Where the open file is now, without symbolic links. */
    public Path realPath() throws IOException {
        return Files.readSymbolicLink(Path.of(DESCRIPTORS + fd));
    }

    @Override
    public Optional<HostAccess> access() throws IOException {
        Stat stat = stat(path, fd);
        return Optional.of(new HostAccess(stat.uid, stat.gid, stat.mode));
    }

    /** The descriptor of the open file, owned by this object. */
    public int descriptor() {
        return fd;
    }

    /** The file as the kernel's lists of locks name it. */
    String lockedName() throws IOException {
        Stat stat = stat(path, fd);
        return String.format("%02x:%02x:%d", stat.major, stat.minor, stat.inode);
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public long size() throws IOException {
        long size = LIBC.lseek(fd, 0, Native.SEEK_END);
        if (size < 0) {
            throw failure("lseek to the end", Native.errno());
        }
        return size;
    }

    @Override
    public long allocatedBytes() throws IOException {
        return device ? size() : stat(path, fd).blocks * 512;
    }

    @Override
    public void read(long offset, long address, int length) throws IOException {
        int done = 0;
        while (done < length) {
            long n = LIBC.pread(fd, address + done, length - done, offset + done);
            if (n > 0) {
                counts.read(n);
                done += (int) n;
            } else if (n == 0) {
                NativeBuffer.zero(address + done, length - done);
                return;
            } else if (Native.errno() != Native.EINTR) {
                throw failure("pread", offset + done, length - done);
            }
        }
    }

    @Override
    public void write(long offset, long address, int length) throws IOException {
        changed = true;
        int done = 0;
        while (done < length) {
            long n = LIBC.pwrite(fd, address + done, length - done, offset + done);
            if (n > 0) {
                counts.wrote(n);
                done += (int) n;
            } else if (n == 0) {
                throw failure("pwrite at 0x" + Long.toHexString(offset + done) + " wrote nothing", Native.EIO);
            } else if (Native.errno() != Native.EINTR) {
                throw failure("pwrite", offset + done, length - done);
            }
        }
    }

    @Override
    public void read(long offset, byte[] into) throws IOException {
        try (NativeBuffer scratch = BufferPool.shared().take(Math.max(1, Math.min(SCRATCH, into.length)))) {
            for (int done = 0; done < into.length; done += SCRATCH) {
                int length = Math.min(SCRATCH, into.length - done);
                read(offset + done, scratch.address(), length);
                NativeBuffer.get(scratch.address(), into, done, length);
            }
        }
    }

    @Override
    public void write(long offset, byte[] from, int start, int length) throws IOException {
        try (NativeBuffer scratch = BufferPool.shared().take(Math.max(1, Math.min(SCRATCH, length)))) {
            for (int done = 0; done < length; done += SCRATCH) {
                int part = Math.min(SCRATCH, length - done);
                NativeBuffer.put(scratch.address(), from, start + done, part);
                write(offset + done, scratch.address(), part);
            }
        }
    }

    @Override
    public void writeZeroes(long offset, long length) throws IOException {
        if (length == 0 || fallocate(Native.FALLOC_ZERO_RANGE, offset, length)) {
            return;
        }
        if (!fallocate(Native.FALLOC_PUNCH_HOLE | Native.FALLOC_KEEP_SIZE, offset, length)) {
            writeZeroBytes(offset, length);
        } else if (offset + length > size()) {
            writeZeroBytes(offset + length - 1, 1); // what lies between the old end and this byte is a hole
        }
    }

    @Override
    public void punchHole(long offset, long length) throws IOException {
        long inside = Math.min(length, size() - offset);
        if (inside > 0 && !fallocate(Native.FALLOC_PUNCH_HOLE | Native.FALLOC_KEEP_SIZE, offset, inside)) {
            writeZeroBytes(offset, inside);
        }
    }

    @Override
    public void allocate(long offset, long length) throws IOException {
        if (length != 0 && !fallocate(0, offset, length) && offset + length > size()) {
            writeZeroBytes(offset + length - 1, 1); // tables may name the range only if the file reaches so far
        }
    }

    @Override
    public void truncate(long size) throws IOException {
        if (device && size <= size()) {
            return; // a device keeps its length
        }
        changed = true;
        fate.mayShrink();
        while (LIBC.ftruncate(fd, size) != 0) {
            if (Native.errno() != Native.EINTR) {
                throw failure("ftruncate to " + size + " bytes", Native.errno());
            }
        }
    }

    @Override
    public void sync() throws IOException {
        long begun = System.nanoTime();
        while (LIBC.fdatasync(fd) != 0) {
            if (Native.errno() != Native.EINTR) {
                throw failure("fdatasync", Native.errno());
            }
        }
        counts.synced(System.nanoTime() - begun);
        if (!device) {
            look();
        }
    }

    /** What cannot be looked at is no failure of the barrier, which has done its work. */
    private void look() {
        try (NativeBuffer stat = BufferPool.shared().take(Native.STATX_SIZE)) {
            if (LIBC.statx(fd, EMPTY_PATH, Native.AT_EMPTY_PATH, Native.STATX_BASIC, stat.address()) == 0) {
                fate.look(
                        NativeBuffer.getInt(stat.address() + Native.STATX_LINKS),
                        NativeBuffer.getLong(stat.address() + Native.STATX_LENGTH));
            }
        }
    }

    @Override
    public long seekData(long offset) throws IOException {
        long found = LIBC.lseek(fd, offset, Native.SEEK_DATA);
        if (found >= 0) {
            return found;
        }
        int errno = Native.errno();
        if (errno == Native.ENXIO) {
            return -1;
        }
        if (Native.isUnsupported(errno)) {
            return offset < size() ? offset : -1;
        }
        throw failure("lseek to data from 0x" + Long.toHexString(offset), errno);
    }

    @Override
    public long seekHole(long offset) throws IOException {
        long found = LIBC.lseek(fd, offset, Native.SEEK_HOLE);
        if (found >= 0) {
            return found;
        }
        int errno = Native.errno();
        if (errno == Native.ENXIO || Native.isUnsupported(errno)) {
            return Math.max(offset, size());
        }
        throw failure("lseek to a hole from 0x" + Long.toHexString(offset), errno);
    }

    /** Closes it; fails where it was written and is gone with that, because others have deleted or replaced it. */
    @Override
    public void close() throws IOException {
        if (!open.compareAndSet(true, false)) {
            return;
        }
        boolean lost;
        int closed;
        try {
            lost = changed && !device && stat(path, fd).links == 0;
        } finally {
            closed = LIBC.close(fd);
        }
        // Linux has let go of the descriptor even where close reports an error, so it is never repeated.
        if (closed != 0 && Native.errno() != Native.EINTR) {
            throw failure("close", Native.errno());
        }
        if (lost) {
            throw new HostIoException(
                    path, "close", Native.ENOENT, "deleted or replaced while it was in use; what was written is lost");
        }
    }

    /** False where the file system or device cannot do it. */
    private boolean fallocate(int mode, long offset, long length) throws IOException {
        changed = true;
        while (LIBC.fallocate(fd, mode, offset, length) != 0) {
            int errno = Native.errno();
            if (Native.isUnsupported(errno)) {
                return false;
            }
            if (errno != Native.EINTR) {
                throw failure("fallocate (mode " + mode + ")", offset, length);
            }
        }
        return true;
    }

    private void writeZeroBytes(long offset, long length) throws IOException {
        try (NativeBuffer zeroes = BufferPool.shared().take((int) Math.min(SCRATCH, length))) {
            NativeBuffer.zero(zeroes.address(), zeroes.size());
            for (long done = 0; done < length; done += zeroes.size()) {
                write(offset + done, zeroes.address(), (int) Math.min(zeroes.size(), length - done));
            }
        }
    }

    private static Stat stat(Path path, int fd) throws IOException {
        try (NativeBuffer buffer = BufferPool.shared().take(Native.STATX_SIZE)) {
            if (LIBC.statx(fd, EMPTY_PATH, Native.AT_EMPTY_PATH, Native.STATX_BASIC, buffer.address()) != 0) {
                throw failure(path, "statx", Native.errno());
            }
            return new Stat(
                    NativeBuffer.getInt(buffer.address() + Native.STATX_UID),
                    NativeBuffer.getInt(buffer.address() + Native.STATX_GID),
                    NativeBuffer.getInt(buffer.address() + Native.STATX_LINKS),
                    NativeBuffer.getShort(buffer.address() + Native.STATX_MODE),
                    NativeBuffer.getLong(buffer.address() + Native.STATX_BLOCKS),
                    NativeBuffer.getInt(buffer.address() + Native.STATX_DEVICE_MAJOR),
                    NativeBuffer.getInt(buffer.address() + Native.STATX_DEVICE_MINOR),
                    NativeBuffer.getLong(buffer.address() + Native.STATX_INODE));
        }
    }

    private HostIoException failure(String call, long offset, long length) {
        int errno = Native.errno(); // before anything else calls into C
        return failure(call + " of " + length + " bytes at 0x" + Long.toHexString(offset), errno);
    }

    private HostIoException failure(String what, int errno) {
        return failure(path, what, errno);
    }

    private static HostIoException failure(Path path, String what, int errno) {
        return new HostIoException(path, what, errno, Native.describe(errno));
    }

    /** What statx tells, among it the names in directories and the 512-byte units on the file system. */
    private record Stat(int uid, int gid, int links, int mode, long blocks, int major, int minor, long inode) {}
}
