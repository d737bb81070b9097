package io.qfuse.qcow2;

import io.qfuse.qcow2.io.OneLine;
import java.io.IOException;

/**
 * What is wrong with an image or with what was asked of it, in one sentence that a user can read. Failures of the host
 * are {@link io.qfuse.qcow2.io.HostIoException}s.
 */
public final class Qcow2Exception extends IOException {

    private static final long serialVersionUID = 1L;

    /** What went wrong, as far as a caller decides by it. */
    public enum Kind {
        /** The file is no qcow2 image. */
        NOT_QCOW2,
        /** The image breaks the format, or is too damaged to open. */
        MALFORMED,
        /** The image needs a feature that is not there, or the operation is not possible on this image. */
        UNSUPPORTED,
        /** Metadata met while serving are nonsense; the image is not written any more. */
        CORRUPT,
        /** The image is encrypted, and the passphrase is missing or not the right one. */
        NO_KEY,
        /** Another program uses the image. */
        LOCKED,
        /** Writing was asked of what cannot be written. */
        READ_ONLY,
        /** An offset, length or size outside what the disk has. */
        OUT_OF_RANGE,
        /** No room left inside the image's own limits. */
        NO_SPACE,
        /** An earlier flush failed: nothing written since can be promised. */
        FLUSH_FAILED
    }

    private final Kind kind;

    /**
     * An error about one file.
     *
     * @param kind what a caller decides by
     * @param path the file, as the user named it
     * @param why the reason, with the field and its value where that helps
     */
    public Qcow2Exception(Kind kind, Object path, String why) {
        super(OneLine.of(path + ": " + why));
        this.kind = kind;
    }

    /** The kind of error. */
    public Kind kind() {
        return kind;
    }
}
