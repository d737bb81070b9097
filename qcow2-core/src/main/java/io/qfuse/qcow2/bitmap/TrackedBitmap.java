package io.qfuse.qcow2.bitmap;

import io.qfuse.qcow2.format.BitmapRecord;

/**
 * A bitmap in memory, with the directory's entry that it came from.
 *
 * @param at the host offset of the entry
 * @param record the entry as found
 * @param bits one for each granule of the disk
 */
record TrackedBitmap(long at, BitmapRecord record, DirtyBits bits) {

    /** How many granules a disk has. */
    static long granules(BitmapRecord record, long diskSize) {
        return diskSize == 0 ? 0 : ((diskSize - 1) >>> record.granularityBits()) + 1;
    }

    /** Records a change of guest bytes; returns false where the bitmap is lost by this, for want of memory. */
    boolean changed(long offset, long length) {
        int shift = record.granularityBits();
        return bits.set(offset >>> shift, ((offset + length - 1) >>> shift) + 1);
    }

    /** Goes on with a disk of another size; returns false where the bitmap is lost by this, for want of memory. */
    boolean resize(long diskSize) {
        return bits.resize(granules(record, diskSize));
    }
}
