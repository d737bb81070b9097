package io.qfuse.qcow2.io;

import io.qfuse.qcow2.HostAccess;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A host file whose {@link #sync} costs nothing when nothing was changed since the last one.
 *
 * <p>What a write leaves behind may be unsynced from an earlier life of the file, so the first sync is always done.
 *
 * <ol>
 *   <li>A change that returned before sync was called is durable when sync returns.
 *   <li>A failed change leaves the file in need of a sync.
 *   <li>A failed sync is for ever: the host may have dropped what it could not write, so that one more sync would
 *       succeed and prove nothing. Each later one fails too.
 * </ol>
 */
public final class BarrierFile implements HostFile {

    private final HostFile file;
    /** Held through a barrier: whoever finds nothing to do has waited for the barrier that did it. */
    private final Object barrier = new Object();

    /**
     * Whether a change may have returned that no barrier began after. Set after each change, cleared before each
     * barrier, so a change that finds it still set returned before that barrier began.
     */
    private volatile boolean changed = true;

    /** Why no sync can succeed any more; guarded by {@link #barrier}. */
    private @Nullable IOException failure;

    /** Takes over {@code file}: closing this closes it. */
    public BarrierFile(HostFile file) {
        this.file = file;
    }

    @Override
    public void sync() throws IOException {
        synchronized (barrier) {
            requireNotFailed();
            if (!changed) {
                return;
            }
            changed = false;
            try {
                file.sync();
            } catch (IOException e) {
                failure = e;
                throw e;
            }
        }
    }

    private void requireNotFailed() throws IOException {
        IOException first = failure;
        if (first != null) {
            int errno = first instanceof HostIoException call ? call.errno() : Native.EIO;
            throw new HostIoException(path(), "fdatasync", errno, "an earlier one failed: " + first.getMessage());
        }
    }

    private void noteChange() {
        if (!changed) { // mostly set already: writers then share the line and write nothing to it
            changed = true;
        }
    }

    @Override
    public void write(long offset, long address, int length) throws IOException {
        try {
            file.write(offset, address, length);
        } finally {
            noteChange();
        }
    }

    @Override
    public void write(long offset, byte[] from, int start, int length) throws IOException {
        try {
            file.write(offset, from, start, length);
        } finally {
            noteChange();
        }
    }

    @Override
    public void writeZeroes(long offset, long length) throws IOException {
        try {
            file.writeZeroes(offset, length);
        } finally {
            noteChange();
        }
    }

    @Override
    public void punchHole(long offset, long length) throws IOException {
        try {
            file.punchHole(offset, length);
        } finally {
            noteChange();
        }
    }

    @Override
    public void allocate(long offset, long length) throws IOException {
        try {
            file.allocate(offset, length);
        } finally {
            noteChange();
        }
    }

    @Override
    public void truncate(long size) throws IOException {
        try {
            file.truncate(size);
        } finally {
            noteChange();
        }
    }

    @Override
    public void read(long offset, long address, int length) throws IOException {
        file.read(offset, address, length);
    }

    @Override
    public void read(long offset, byte[] into) throws IOException {
        file.read(offset, into);
    }

    @Override
    public Path path() {
        return file.path();
    }

    @Override
    public long size() throws IOException {
        return file.size();
    }

    @Override
    public Optional<HostAccess> access() throws IOException {
        return file.access();
    }

    @Override
    public long allocatedBytes() throws IOException {
        return file.allocatedBytes();
    }

    @Override
    public long seekData(long offset) throws IOException {
        return file.seekData(offset);
    }

    @Override
    public long seekHole(long offset) throws IOException {
        return file.seekHole(offset);
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
