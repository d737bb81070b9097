package io.qfuse.qcow2.io;

import java.io.IOException;

/** A system call on a host file that failed. */
public final class HostIoException extends IOException {

    private static final long serialVersionUID = 1L;

    private final int errno;

    /**
     * A failed call.
     *
     * @param path the file
     * @param what the call and its range, as {@code "pwrite of 4096 bytes at 0x10000"}
     * @param errno the positive error number of the platform
     * @param reason the platform's words for it
     */
    public HostIoException(Object path, String what, int errno, String reason) {
        super(OneLine.of(path + ": " + what + ": " + reason));
        this.errno = errno;
    }

    /** The positive error number of the platform. */
    public int errno() {
        return errno;
    }
}
