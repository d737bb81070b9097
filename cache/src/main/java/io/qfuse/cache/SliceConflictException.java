package io.qfuse.cache;

/** A slice was wanted for something that does not go together with what it is used for: two tables lie on one place. */
public final class SliceConflictException extends IllegalStateException {

    private static final long serialVersionUID = 1L;

    SliceConflictException(String message) {
        super(message);
    }
}
