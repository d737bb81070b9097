package io.qfuse.qcow2.codec;

/** A compressed stream that does not give exactly one cluster. The message is a reason without place or path. */
public final class DecompressException extends Exception {

    private static final long serialVersionUID = 1L;

    DecompressException(String reason) {
        super(reason);
    }

    DecompressException(String reason, Throwable cause) {
        super(reason, cause);
    }
}
