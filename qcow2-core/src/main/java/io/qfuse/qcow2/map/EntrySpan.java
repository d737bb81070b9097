package io.qfuse.qcow2.map;

import io.qfuse.cache.Slice;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.table.Tables;

/**
 * Adjacent entries of one slice of an L2 table that may be changed, its pin held: a change cannot fail. The table
 * belongs to the active L1 table alone.
 */
public final class EntrySpan implements AutoCloseable {

    private final Tables tables;
    private final EntryLayout layout;
    private final Slice slice;
    private final int within;
    private final int clusters;

    EntrySpan(Tables tables, EntryLayout layout, Slice slice, int within, int clusters) {
        this.tables = tables;
        this.layout = layout;
        this.slice = slice;
        this.within = within;
        this.clusters = clusters;
    }

    /** How many clusters the span reaches, at least 1. */
    public int clusters() {
        return clusters;
    }

    /** The descriptor of the span's cluster number {@code index}: its entry without what the bitmap says. */
    public long descriptor(int index) {
        return layout.descriptor(slice, at(index));
    }

    /** What the span's cluster number {@code index} says of its subclusters. */
    public long bitmap(int index) {
        return layout.bitmap(slice, at(index));
    }

    /** Whether an entry names a host cluster that belongs to it alone. */
    public boolean isOwn(int index) {
        return layout.hasHost(descriptor(index)) && L2Entry.isCopied(descriptor(index));
    }

    /** Changes an entry. */
    public void set(int index, long descriptor, long bitmap) {
        layout.set(slice, at(index), descriptor, bitmap);
    }

    private int at(int index) {
        return within + index * layout.size();
    }

    @Override
    public void close() {
        tables.unpin(slice);
    }
}
