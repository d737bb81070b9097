package io.qfuse.qcow2.scan;

import java.io.IOException;
import java.nio.file.Path;

/**
 * The runs of one layer, asked for in ascending order; the current one stands in fields, so that a walk over a disk makes no
 * objects. For one thread at a time.
 */
public abstract class Runs implements AutoCloseable {

    /** What the layer says of the current run; 0 where it says nothing. */
    int flags;

    /** The guest offset of the current run's first byte, of the byte behind it, and where the first is in the file. */
    long start;

    long end;
    long host;

    Runs() {}

    /** The virtual size of the layer in bytes, a multiple of 512. */
    public abstract long size();

    /** The file that holds its bytes. */
    public abstract Path file();

    /** How far the walk that begins goes: more need not be looked at. */
    abstract void goTo(long to);

    /** Finds the run that starts at an offset below {@link #size}. */
    abstract void find(long at) throws IOException;

    /** Makes the run current that an offset is in. */
    final void seek(long at) throws IOException {
        if (at < start || at >= end) {
            find(at);
        }
    }

    final void set(long from, long to, int what, long place) {
        start = from;
        end = to;
        flags = what;
        host = place;
    }

    @Override
    public abstract void close() throws IOException;
}
