package io.qfuse.qcow2.format;

/**
 * An entry of a bitmap's table: what one cluster's worth of the bitmap's bits is (format notes, section 9).
 *
 * <pre>
 *   63      56 55                          9 8        1   0
 *  | reserved | host offset of the cluster  | reserved | all ones, where the offset is 0 |
 * </pre>
 */
public final class BitmapTableEntry {

    /** All bits are clear. */
    public static final long ALL_ZEROES = 0;
    /** All bits are set. */
    public static final long ALL_ONES = 1;

    private static final long OFFSET_MASK = 0x00ff_ffff_ffff_fe00L;

    private BitmapTableEntry() {}

    /** Where the bits are stored; 0 where no cluster holds them. */
    public static long hostOffset(long entry) {
        return entry & OFFSET_MASK;
    }

    /** Whether bits are set that have no meaning there. */
    public static boolean hasReservedBits(long entry) {
        return (entry & ~(OFFSET_MASK | ALL_ONES)) != 0 || (hostOffset(entry) != 0 && (entry & ALL_ONES) != 0);
    }
}
