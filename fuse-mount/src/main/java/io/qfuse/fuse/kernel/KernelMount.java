package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Native.LIBC;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.MountException;
import io.qfuse.fuse.MountOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Mounting by mount(2), for root. */
final class KernelMount {

    static final String DEVICE = "/dev/fuse";

    private static final int MNT_FORCE = 1;
    private static final int MNT_DETACH = 2;

    private KernelMount() {}

    /** Mounts and returns the descriptor that the requests come from. */
    static int mount(Path mountPoint, String source, MountOptions options, boolean allowOther) throws IOException {
        int device = LIBC.open(DEVICE, Native.O_RDWR | Native.O_CLOEXEC);
        if (device < 0) {
            throw noDevice(Native.errno());
        }
        String type = "fuse." + options.subtype();
        String data = data(device, mountPoint, options, allowOther);
        if (LIBC.mount(source, mountPoint.toString(), type, options.flagBits(), data) < 0) {
            int errno = Native.errno();
            LIBC.close(device);
            throw new MountException(mountPoint, "cannot mount: " + LIBC.strerror(errno));
        }
        return device;
    }

    static void unmount(Path mountPoint, boolean force) throws IOException {
        if (LIBC.umount2(mountPoint.toString(), force ? MNT_FORCE | MNT_DETACH : 0) < 0) {
            int errno = Native.errno();
            throw new MountException(
                    mountPoint, errno == Errno.EBUSY ? "is in use" : "cannot unmount: " + LIBC.strerror(errno));
        }
    }

    static MountException noDevice(int errno) {
        return new MountException(
                DEVICE,
                errno == Errno.ENOENT
                        ? "not there: load the kernel module (modprobe fuse)"
                        : "cannot be opened: " + LIBC.strerror(errno));
    }

    private static String data(int device, Path mountPoint, MountOptions options, boolean allowOther) {
        int type = Files.isDirectory(mountPoint) ? 0040000 : 0100000;
        var data = new StringBuilder();
        data.append("fd=").append(device);
        data.append(",rootmode=").append(Integer.toOctalString(type));
        data.append(",user_id=").append(LIBC.geteuid());
        data.append(",group_id=").append(LIBC.getegid());
        data.append(",max_read=").append(Protocol.MAX_IO);
        if (allowOther) {
            data.append(",allow_other");
        }
        if (allowOther || options.defaultPermissions()) {
            data.append(",default_permissions");
        }
        return data.toString();
    }
}
