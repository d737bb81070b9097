package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Native.LIBC;
import static io.qfuse.fuse.kernel.Protocol.IOCTL_COMMAND;
import static io.qfuse.fuse.kernel.Protocol.IOCTL_OUT_SIZE;
import static io.qfuse.fuse.kernel.Protocol.IOCTL_REPLY;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ErrnoException;
import io.qfuse.fuse.ImageFileSystem;
import io.qfuse.fuse.MountException;
import io.qfuse.fuse.MountReport;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/**
 * The question what a mount has done: an ioctl(2) of our own on its root or on any file in it, both how it is asked and how
 * it is answered. The result is the length of the report. Only root and the user who has mounted are told.
 */
public final class ReportCall {

    /** The most that an ioctl can give out: its size is a field of 14 bits in its number. */
    static final int MOST_BYTES = (1 << 14) - 1;

    /** {@code _IOC(_IOC_READ, 'q', 1, MOST_BYTES)}. */
    static final int COMMAND = 2 << 30 | MOST_BYTES << 16 | 'q' << 8 | 1;

    private ReportCall() {}

    /**
     * Lays down the reply's body and returns its length.
     *
     * @param user who asks
     * @param request the request's body; the reply may overwrite it
     */
    public static int answer(int user, ByteBuffer request, ByteBuffer reply, ImageFileSystem files) throws IOException {
        if (request.getInt(IOCTL_COMMAND) != COMMAND) {
            throw new ErrnoException(Errno.ENOTTY, "an ioctl of others");
        }
        if (user != 0 && user != KernelMount.uid()) {
            throw new ErrnoException(Errno.EACCES, "user " + user + " asks for the statistics");
        }
        byte[] text = files.report().text();
        if (text.length > request.getInt(IOCTL_OUT_SIZE)) {
            throw new ErrnoException(Errno.EINVAL, "a report of " + text.length + " bytes");
        }
        reply.putInt(0, text.length);
        reply.putInt(4, 0);
        reply.putLong(8, 0);
        reply.put(IOCTL_REPLY, text);
        return IOCTL_REPLY + text.length;
    }

    /**
     * Asks the server of a mount of ours.
     *
     * @param mountPoint without symbolic links
     * @param user who has mounted it
     */
    public static MountReport ask(Path mountPoint, int user) throws IOException {
        int file = LIBC.open(mountPoint.toString(), Native.O_CLOEXEC);
        if (file < 0) {
            throw failure(mountPoint, user, Native.errno());
        }
        try (var text = new NativeBytes(MOST_BYTES)) {
            int length = LIBC.ioctl(file, Integer.toUnsignedLong(COMMAND), text.address());
            if (length < 0) {
                throw failure(mountPoint, user, Native.errno());
            }
            return MountReport.parse(text.get(0, length));
        } finally {
            LIBC.close(file);
        }
    }

    private static MountException failure(Path mountPoint, int user, int errno) {
        return new MountException(
                mountPoint,
                switch (errno) {
                    case Errno.EACCES ->
                        user == 0
                                ? "only root, who has mounted it, may ask"
                                : "only user " + user
                                        + ", who has mounted it, and root where that lets others in, may ask";
                    case Errno.ENOTCONN, Errno.ECONNABORTED -> "its server is gone; qfuse unmount cleans up behind it";
                    case Errno.ENOTTY -> "its server is of a version that keeps no statistics";
                    default -> "cannot be asked: " + LIBC.strerror(errno);
                });
    }
}
