package io.qfuse.fuse;

import java.io.IOException;
import java.nio.file.Path;
import jnr.ffi.LibraryLoader;
import jnr.ffi.Memory;
import jnr.ffi.Platform;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;

/**
 * The room on the file system that holds an image.
 *
 * <p>It is asked through a descriptor of the image's directory that was opened before the mount. A path would not do: an
 * image that is mounted over itself, or over its directory, would have the server ask itself, and wait.
 *
 * <pre>
 * struct statvfs: f_bsize @0, f_frsize @8, f_blocks @16, f_bfree @24, f_bavail @32, … 112 bytes
 * </pre>
 */
final class HostSpace implements AutoCloseable {

    private static final Libc LIBC =
            LibraryLoader.create(Libc.class).load(Platform.getNativePlatform().getStandardCLibraryName());

    private static final int O_PATH = 010000000;
    private static final int O_CLOEXEC = 02000000;
    private static final int STATVFS_SIZE = 256;
    private static final int UNKNOWN = -1;

    private final int directory;

    private HostSpace(int directory) {
        this.directory = directory;
    }

    /** The file system of a file; where it cannot be found, one that never says that it is full. */
    static HostSpace of(Path image) {
        try {
            Path directory = image.toRealPath().getParent();
            return new HostSpace(directory == null ? UNKNOWN : LIBC.open(directory.toString(), O_PATH | O_CLOEXEC));
        } catch (IOException e) {
            return new HostSpace(UNKNOWN);
        }
    }

    /** The bytes that can still be written there, as far as that is known. */
    long available() {
        Pointer statvfs = Memory.allocateDirect(Runtime.getSystemRuntime(), STATVFS_SIZE);
        if (directory < 0 || LIBC.fstatvfs(directory, statvfs) < 0) {
            return Long.MAX_VALUE;
        }
        return statvfs.getLong(32) * statvfs.getLong(8);
    }

    @Override
    public void close() {
        if (directory >= 0) {
            LIBC.close(directory);
        }
    }

    /** Public because the generated code lies in another class loader. */
    public interface Libc {
        int open(CharSequence path, int flags);

        int fstatvfs(int fd, Pointer statvfs);

        int close(int fd);
    }
}
