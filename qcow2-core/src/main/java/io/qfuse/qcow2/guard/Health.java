package io.qfuse.qcow2.guard;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderField;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Whether an image may still be written, and the header bits that say so to others.
 *
 * <ol>
 *   <li>Before the first change of a guest byte the autoclear bits that we do not keep up to date are durably clear, and
 *       what {@link FirstChange} has to do is done.
 *   <li>Once metadata were found to be nonsense, or a barrier has failed, nothing is written any more: reads go on.
 *   <li>An image that is not written is not touched, not by one byte.
 * </ol>
 *
 * <p>Thread-safe.
 */
public final class Health {

    /** Incompatible feature: metadata are known to be damaged. */
    private static final long CORRUPT_BIT = 2;

    private final HostFile file;
    private final Header header;
    private final boolean opensWritable;

    /** Autoclear bits that stay. */
    private long kept;

    /** What else comes before the first change; set before the image is used. */
    private FirstChange firstChange = () -> {};

    /** Whether the first change was announced in the header; guarded by this for writing. */
    private volatile boolean announced;

    /** Why nothing is written any more; guarded by this for writing, set once. */
    private volatile @Nullable Qcow2Exception stopped;

    /** The state of one open image. */
    public Health(HostFile file, Header header, boolean writable) {
        this.file = file;
        this.header = header;
        this.opensWritable = writable;
    }

    /**
     * Tells that more autoclear bits stay: what they say is kept up to date. Called before the image is used, or from what
     * runs before the first change.
     */
    public void keep(long autoclear) {
        kept |= autoclear;
    }

    /** Names what else has to be done before the first change. Called before the image is used. */
    public void beforeFirstChange(FirstChange action) {
        firstChange = action;
    }

    /** Whether the image was opened for writing. */
    public boolean opensWritable() {
        return opensWritable;
    }

    /** Whether a write would be let through. */
    public boolean writable() {
        return opensWritable && stopped == null;
    }

    /** Lets a change of guest bytes through, or says why not. */
    public void requireWritable() throws IOException {
        requireNotStopped();
        if (!announced) {
            announce();
        }
    }

    /** Lets a flush through, or says why nothing can be made durable. */
    public void requireNotStopped() throws IOException {
        Qcow2Exception why = stopped;
        if (why != null) {
            throw new Qcow2Exception(why.kind(), file.path(), reason(why));
        }
    }

    /** Stops writing because metadata make no sense, says so in the header, and returns the error to throw. */
    public synchronized Qcow2Exception corrupt(String what) {
        Qcow2Exception error = new Qcow2Exception(Kind.CORRUPT, file.path(), what);
        if (writable()) {
            stopped = error;
            markCorrupt(error);
        }
        return error;
    }

    /** Stops writing because a barrier failed: what was written before it may be lost. Returns the error to throw. */
    public synchronized Qcow2Exception flushFailed(IOException cause) {
        Qcow2Exception error = new Qcow2Exception(
                Kind.FLUSH_FAILED, file.path(), "a flush failed, nothing is written any more: " + cause.getMessage());
        error.initCause(cause);
        if (stopped == null) {
            stopped = error;
        }
        return error;
    }

    private synchronized void announce() throws IOException {
        if (!opensWritable) {
            throw new Qcow2Exception(Kind.READ_ONLY, file.path(), "opened read-only");
        }
        if (announced) {
            return;
        }
        firstChange.prepare();
        if (header.version() >= 3 && (header.autoclear() & ~kept) != 0) {
            patch(HeaderField.AUTOCLEAR, header.autoclear() & kept);
        }
        announced = true;
    }

    private void markCorrupt(Qcow2Exception error) {
        if (header.version() < 3) {
            return;
        }
        try {
            patch(HeaderField.INCOMPATIBLE, header.incompatible() | CORRUPT_BIT);
        } catch (IOException e) {
            error.addSuppressed(e);
        }
    }

    private void patch(int field, long value) throws IOException {
        new HeaderPatch(file).u64(field, value);
        try {
            file.sync();
        } catch (IOException e) {
            throw flushFailed(e);
        }
    }

    private String reason(Qcow2Exception why) {
        String message = String.valueOf(why.getMessage());
        String prefix = file.path() + ": ";
        return message.startsWith(prefix) ? message.substring(prefix.length()) : message;
    }
}
