package io.qfuse.qcow2.map;

import io.qfuse.cache.Slice;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.format.Subclusters;
import io.qfuse.qcow2.table.Tables;

/**
 * How entries lie in a slice of an L2 table: 8 bytes, or 16 with a bitmap of subclusters. Both are seen as a descriptor
 * and a bitmap; where there are no subclusters the zero flag is the bitmap of a single one.
 */
final class EntryLayout {

    private final boolean extended;
    private final boolean externalData;
    private final int size;

    /**
     * The layout of an image's entries.
     *
     * @param externalData whether guest data are in another file, where a cluster may lie at offset 0
     */
    EntryLayout(Geometry geometry, boolean externalData) {
        this.externalData = externalData;
        this.extended = geometry.extendedL2();
        this.size = geometry.l2EntrySize();
    }

    /** Bytes of an entry. */
    int size() {
        return size;
    }

    long descriptor(Slice slice, int at) {
        long entry = slice.getLong(at);
        return extended || L2Entry.isCompressed(entry) ? entry : entry & ~L2Entry.ZERO;
    }

    long bitmap(Slice slice, int at) {
        if (extended) {
            return slice.getLong(at + Tables.ENTRY);
        }
        long entry = slice.getLong(at);
        if (L2Entry.isZero(entry)) {
            return Subclusters.zero(0, 1);
        }
        return hasHost(entry) ? Subclusters.allocated(0, 1) : 0;
    }

    /** Whether a cluster may lie at this host offset: in an external data file only at that of the guest cluster. */
    boolean isPlace(long host, long cluster) {
        return !externalData || host == cluster;
    }

    /** Whether compressed clusters are possible. */
    boolean allowsCompressed() {
        return !externalData;
    }

    /** Whether an entry names a host cluster. */
    boolean hasHost(long descriptor) {
        return !L2Entry.isCompressed(descriptor)
                && (L2Entry.hostOffset(descriptor) != 0 || (externalData && L2Entry.isCopied(descriptor)));
    }

    void set(Slice slice, int at, long descriptor, long bitmap) {
        if (extended) {
            slice.setLongs(at, descriptor, bitmap);
        } else {
            slice.setLong(at, Subclusters.isZero(bitmap, 0) ? descriptor | L2Entry.ZERO : descriptor);
        }
    }
}
