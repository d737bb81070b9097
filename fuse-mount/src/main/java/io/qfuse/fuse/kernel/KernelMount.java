package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Native.LIBC;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.MountException;
import io.qfuse.fuse.MountFlag;
import io.qfuse.fuse.MountOptions;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.StringJoiner;

/** Mounting and unmounting: by system call as root, by {@link Fusermount} as anybody else. */
public final class KernelMount {

    static final String DEVICE = "/dev/fuse";

    private static final System.Logger LOG = System.getLogger(KernelMount.class.getPackageName());

    private static final Path CONNECTIONS = Path.of("/sys/fs/fuse/connections");
    private static final int DIRECTORY = 0040000;
    private static final int REGULAR = 0100000;
    private static final int MNT_FORCE = 1;
    private static final int MNT_DETACH = 2;
    private static final int UMOUNT_NOFOLLOW = 8;
    private static final int STATFS_SIZE = 256;

    private KernelMount() {}

    /** The effective user. */
    public static int uid() {
        return LIBC.geteuid();
    }

    /** The effective group. */
    public static int gid() {
        return LIBC.getegid();
    }

    /**
     * Mounts and returns the descriptor that the requests come from.
     *
     * @param maxRead the most bytes that one read may ask for
     */
    public static int mount(Path mountPoint, String source, MountOptions options, boolean allowOther, int maxRead)
            throws IOException {
        var words = new StringJoiner(",").add("max_read=" + maxRead);
        if (allowOther) {
            words.add("allow_other");
        }
        // Who lets others in wants them to meet the permission bits; FUSE leaves that to the server, or to this word.
        if (allowOther || options.defaultPermissions()) {
            words.add("default_permissions");
        }
        return uid() == 0
                ? mountAsRoot(mountPoint, source, options, words)
                : Fusermount.mount(mountPoint, userWords(source, options, words));
    }

    /** Closes a descriptor that {@link #mount} gave and nobody serves. */
    public static void closeDevice(int device) {
        LIBC.close(device);
    }

    /**
     * Mounts on what the path names now: who may change a directory on the way cannot lead the mount elsewhere by a link once it
     * has been looked at.
     *
     * @param mountPoint absolute and without symbolic links
     */
    private static int mountAsRoot(Path mountPoint, String source, MountOptions options, StringJoiner words)
            throws IOException {
        int place = LIBC.open(mountPoint.toString(), Native.O_PATH | Native.O_CLOEXEC);
        if (place < 0) {
            throw new MountException(mountPoint, "cannot mount: " + LIBC.strerror(Native.errno()));
        }
        try {
            Path link = Path.of("/proc/self/fd/" + place);
            if (!Files.readSymbolicLink(link).equals(mountPoint)) {
                throw new MountException(mountPoint, "cannot mount: somebody has put a symbolic link on the way there");
            }
            return mountAt(link, mountPoint, source, options, words);
        } finally {
            LIBC.close(place);
        }
    }

    private static int mountAt(Path place, Path mountPoint, String source, MountOptions options, StringJoiner words)
            throws IOException {
        int device = LIBC.open(DEVICE, Native.O_RDWR | Native.O_CLOEXEC);
        if (device < 0) {
            throw noDevice(Native.errno());
        }
        int type = Files.isDirectory(place) ? DIRECTORY : REGULAR;
        words.add("fd=" + device)
                .add("rootmode=" + Integer.toOctalString(type))
                .add("user_id=" + uid())
                .add("group_id=" + gid());
        String fileSystem = "fuse." + options.subtype();
        if (LIBC.mount(source, place.toString(), fileSystem, options.flagBits(), words.toString()) < 0) {
            int errno = Native.errno();
            LIBC.close(device);
            throw new MountException(mountPoint, "cannot mount: " + LIBC.strerror(errno));
        }
        return device;
    }

    private static MountException noDevice(int errno) {
        return new MountException(
                DEVICE,
                errno == Errno.ENOENT
                        ? "is not there; modprobe fuse brings it"
                        : "cannot be opened: " + LIBC.strerror(errno));
    }

    private static String userWords(String source, MountOptions options, StringJoiner words) {
        for (MountFlag flag : options.flags()) {
            words.add(flag.setWord());
        }
        return words.add("subtype=" + escaped(options.subtype()))
                .add("fsname=" + escaped(source))
                .toString();
    }

    private static String escaped(String value) {
        return value.replace("\\", "\\\\").replace(",", "\\,");
    }

    /** Unmounts what is on top at the path; fails where somebody uses it. */
    public static void unmount(Path mountPoint) throws IOException {
        if (uid() == 0) {
            unmount(mountPoint, 0);
        } else {
            Fusermount.unmount(mountPoint, false);
        }
    }

    /** Takes what is on top at the path out of the tree whoever uses it; as root, cuts the users off, too. */
    public static void detach(Path mountPoint) throws IOException {
        if (uid() == 0) {
            unmount(mountPoint, MNT_FORCE | MNT_DETACH);
        } else {
            Fusermount.unmount(mountPoint, true);
        }
    }

    /** Takes what is on top at the path out of the tree, and leaves it to those who use it. */
    public static void leaveTree(Path mountPoint) throws IOException {
        if (uid() == 0) {
            unmount(mountPoint, MNT_DETACH);
        } else {
            Fusermount.unmount(mountPoint, true);
        }
    }

    private static void unmount(Path mountPoint, int flags) throws IOException {
        if (LIBC.umount2(mountPoint.toString(), flags | UMOUNT_NOFOLLOW) < 0) {
            int errno = Native.errno();
            throw new MountException(
                    mountPoint, errno == Errno.EBUSY ? "is in use" : "cannot unmount: " + LIBC.strerror(errno));
        }
    }

    /** Whether the server of the file system at the path is gone. */
    public static boolean isStale(Path mountPoint) {
        try (var buffer = new NativeBytes(STATFS_SIZE)) {
            int errno;
            do {
                errno = LIBC.statfs(mountPoint.toString(), buffer.address()) < 0 ? Native.errno() : 0;
                // What was under way while the server went ends so; the next call finds it gone.
            } while (errno == Errno.ECONNABORTED);
            return errno == Errno.ENOTCONN;
        }
    }

    /**
     * Ends a connection that was detached, so that its requests fail; {@code false} where that cannot be.
     *
     * @param device the mount's device, as {@code 0:42}
     */
    public static boolean cutOff(String device) {
        if (uid() == 0) {
            // detach() has done it
            return true;
        }
        String connection = device.substring(device.indexOf(':') + 1);
        try {
            Files.writeString(CONNECTIONS.resolve(connection).resolve("abort"), "1");
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * Returns when the kernel has sent what it holds of a file's changes, those in mapped memory among them. (syncfs(2) would
     * do it for all files, but does not wait for a FUSE server.)
     *
     * <p>Another process waits for it, by sync(1): a thread of the server that is killed while it waits for the server's own
     * answer could never end, nor would its descriptors be closed, which alone would end its waiting.
     */
    public static void writeBack(Path file) {
        try {
            int code = new ProcessBuilder("sync", file.toString())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start()
                    .waitFor();
            if (code != 0) {
                LOG.log(Level.WARNING, "{0}: not all that was written to mapped memory could be written back", file);
            }
        } catch (IOException e) {
            LOG.log(Level.WARNING, "{0}: what was written to mapped memory is lost: {1}", file, e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
