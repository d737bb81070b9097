package io.qfuse.qcow2.check;

import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.L2Entry;

/**
 * How the L2 tables of one image are to be read (format notes, sections 4 and 5).
 *
 * @param extended whether entries have 16 bytes, with subclusters
 * @param external whether data are in another file
 * @param zeroFlag whether bit 0 means that the cluster reads as zeroes
 */
record L2Format(boolean extended, boolean external, boolean zeroFlag) {

    /** Bits of an extended entry's bitmap that say which subclusters are allocated. */
    static final long ALLOCATED = 0xffff_ffffL;

    static L2Format of(Header header) {
        boolean extended = (header.incompatible() & Features.EXTENDED_L2) != 0;
        boolean external = (header.incompatible() & Features.EXTERNAL_DATA_FILE) != 0;
        return new L2Format(extended, external, header.version() >= 3 && !extended);
    }

    int entrySize() {
        return extended ? 16 : 8;
    }

    long reserved() {
        return zeroFlag ? L2Entry.RESERVED : L2Entry.RESERVED | L2Entry.ZERO;
    }

    /** Whether a standard entry has a cluster of its own, for data or in reserve. */
    boolean hasCluster(long entry) {
        return L2Entry.hostOffset(entry) != 0 || (external && L2Entry.isCopied(entry) && !isZero(entry));
    }

    /** Whether the cluster that an entry names holds data. */
    boolean holdsData(long entry, long bitmap) {
        return extended ? (bitmap & ALLOCATED) != 0 : !isZero(entry);
    }

    private boolean isZero(long entry) {
        return zeroFlag && L2Entry.isZero(entry);
    }
}
