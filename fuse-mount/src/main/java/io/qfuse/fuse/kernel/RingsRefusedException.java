package io.qfuse.fuse.kernel;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** The host has no FUSE over io_uring, or does not permit it; the message says why. */
final class RingsRefusedException extends IOException {

    private static final long serialVersionUID = 1;

    RingsRefusedException(String why) {
        super(why);
    }

    RingsRefusedException(@Nullable Throwable cause) {
        super(cause == null ? "" : cause.getMessage(), cause);
    }
}
