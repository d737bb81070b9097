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

    /**
     * The same failure, where an image has led to the file.
     *
     * @param image the image
     * @param role what the file is to it, as {@code "backing file"}
     */
    public static HostIoException of(Object image, String role, HostIoException failure) {
        HostIoException named =
                new HostIoException(image, "its " + role, failure.errno, String.valueOf(failure.getMessage()));
        named.initCause(failure);
        return named;
    }

    /** The positive error number of the platform. */
    public int errno() {
        return errno;
    }
}
