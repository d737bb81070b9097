package io.qfuse.fuse;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.io.HostIoException;
import java.lang.System.Logger.Level;

/** Linux's error numbers, and the one table that turns an exception into one of them. */
public final class Errno {

    public static final int EPERM = 1;
    public static final int ENOENT = 2;
    public static final int EINTR = 4;
    public static final int EIO = 5;
    public static final int ENXIO = 6;
    public static final int EAGAIN = 11;
    public static final int ENOMEM = 12;
    public static final int EACCES = 13;
    public static final int EBUSY = 16;
    public static final int ENODEV = 19;
    public static final int ENOTDIR = 20;
    public static final int EISDIR = 21;
    public static final int EINVAL = 22;
    public static final int ENOTTY = 25;
    public static final int EFBIG = 27;
    public static final int ENOSPC = 28;
    public static final int EROFS = 30;
    public static final int ENOSYS = 38;
    public static final int EOPNOTSUPP = 95;
    public static final int ECONNABORTED = 103;
    public static final int ENOTCONN = 107;

    private static final System.Logger LOG = System.getLogger(Errno.class.getPackageName());

    private Errno() {}

    /** Loads all classes that an answer to a failed request takes: once there is no memory left, that would fail itself. */
    static void load() {
        of(new OutOfMemoryError());
    }

    /** The positive error number that a client is told for {@code failure}. */
    public static int of(Throwable failure) {
        if (failure instanceof ErrnoException answer) {
            return answer.errno();
        }
        if (failure instanceof HostIoException host) {
            return host.errno() > 0 ? host.errno() : EIO;
        }
        if (failure instanceof Qcow2Exception image) {
            return of(image.kind());
        }
        return failure instanceof OutOfMemoryError ? ENOMEM : EIO;
    }

    /**
     * The positive error number for {@code failure}, which is logged unless it is the client's own mistake: the number
     * that reaches the client does not say which file is broken, or where. Throws nothing: where there is no memory left to say it, the
     * client is answered all the same.
     */
    public static int logged(Throwable failure) {
        int errno = of(failure);
        try {
            log(failure, errno);
        } catch (RuntimeException | Error unsaid) {
            // Even saying so could fail again.
        }
        return errno;
    }

    private static void log(Throwable failure, int errno) {
        if (failure instanceof HostIoException || failure instanceof Qcow2Exception) {
            LOG.log(errno == EIO ? Level.WARNING : Level.DEBUG, failure.getMessage());
        } else if (!(failure instanceof ErrnoException)) {
            LOG.log(Level.ERROR, "a request failed", failure);
        }
    }

    private static int of(Qcow2Exception.Kind kind) {
        return switch (kind) {
            case NOT_QCOW2, MALFORMED, CORRUPT, FLUSH_FAILED -> EIO;
            case UNSUPPORTED -> EOPNOTSUPP;
            case NO_KEY -> EACCES;
            case LOCKED -> EBUSY;
            case READ_ONLY -> EROFS;
            case OUT_OF_RANGE -> EINVAL;
            case NO_SPACE -> ENOSPC;
        };
    }
}
