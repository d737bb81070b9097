package io.qfuse.qcow2.map;

import io.qfuse.cache.Slice;
import io.qfuse.qcow2.table.Tables;

/**
 * Adjacent entries of one slice of an L2 table that may be changed, its pin held: a change cannot fail. The table
 * belongs to the active L1 table alone.
 */
public final class EntrySpan implements AutoCloseable {

    private final Tables tables;
    private final Slice slice;
    private final int within;
    private final int clusters;

    EntrySpan(Tables tables, Slice slice, int within, int clusters) {
        this.tables = tables;
        this.slice = slice;
        this.within = within;
        this.clusters = clusters;
    }

    /** How many clusters the span reaches, at least 1. */
    public int clusters() {
        return clusters;
    }

    /** The entry of the span's cluster number {@code index}. */
    public long get(int index) {
        return slice.getLong(within + index * Tables.ENTRY);
    }

    /** Changes an entry. */
    public void set(int index, long entry) {
        slice.setLong(within + index * Tables.ENTRY, entry);
    }

    @Override
    public void close() {
        tables.unpin(slice);
    }
}
