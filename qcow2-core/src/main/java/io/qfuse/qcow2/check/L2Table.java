package io.qfuse.qcow2.check;

import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import java.io.IOException;
import java.util.function.LongToIntFunction;

/**
 * The L2 table that a walk is at: a view of native memory, good only while it is visited. Entries are counted as the image
 * counts them, with 8 or 16 bytes each.
 */
final class L2Table {

    private final Geometry geometry;
    private final LongToIntFunction l1Indexes;
    private final int entryShift;
    private long address;
    private long offset;
    private long times;
    private long activeTimes;

    /**
     * A view of tables of an image.
     *
     * @param l1Indexes which entry of the active L1 table names a table, or -1 where that is not known
     */
    L2Table(Geometry geometry, LongToIntFunction l1Indexes) {
        this.geometry = geometry;
        this.l1Indexes = l1Indexes;
        this.entryShift = Integer.numberOfTrailingZeros(geometry.l2EntrySize());
    }

    void at(long memory, long fileOffset, long named, long namedByActive) {
        address = memory;
        offset = fileOffset;
        times = named;
        activeTimes = namedByActive;
    }

    /** Where the table is in the file. */
    long offset() {
        return offset;
    }

    /** How many L1 entries name it. */
    long times() {
        return times;
    }

    /** How many entries of the active L1 table do. */
    long activeTimes() {
        return activeTimes;
    }

    int entries() {
        return geometry.l2Entries();
    }

    long entry(int index) {
        return Long.reverseBytes(NativeBuffer.getLong(address + ((long) index << entryShift)));
    }

    /** The second half of an extended entry. */
    long bitmap(int index) {
        return Long.reverseBytes(NativeBuffer.getLong(address + ((long) index << entryShift) + Long.BYTES));
    }

    void setEntry(int index, long entry) {
        NativeBuffer.putLong(address + ((long) index << entryShift), Long.reverseBytes(entry));
    }

    void setBitmap(int index, long bitmap) {
        NativeBuffer.putLong(address + ((long) index << entryShift) + Long.BYTES, Long.reverseBytes(bitmap));
    }

    /** Writes the entries from {@code first} to {@code last} (inclusive) to their place in the file. */
    void write(HostFile file, int first, int last) throws IOException {
        long start = (long) first << entryShift;
        int length = (last - first + 1) << entryShift;
        file.write(offset + start, address + start, length);
    }

    /** Names an entry, for a finding. */
    String place(int index) {
        String place = "entry " + index + " of the L2 table at 0x" + Long.toHexString(offset);
        int l1Index = l1Indexes.applyAsInt(offset);
        if (l1Index < 0) {
            return place;
        }
        long guest = l1Index * geometry.l2Reach() + geometry.clusterOffset(index);
        return place + " (guest offset 0x" + Long.toHexString(guest) + ")";
    }
}
