package io.qfuse.fuse;

import java.io.IOException;

/** A request that is answered with an error number: an ordinary answer, so without a stack trace. */
public final class ErrnoException extends IOException {

    private static final long serialVersionUID = 1L;

    private final int errno;

    /**
     * An answer.
     *
     * @param errno one of {@link Errno}'s numbers
     * @param why the reason, for whoever reads a log
     */
    public ErrnoException(int errno, String why) {
        super(why);
        this.errno = errno;
    }

    /** The positive error number. */
    public int errno() {
        return errno;
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
        return this;
    }
}
