package io.qfuse.qcow2.format;

/**
 * An entry of an L2 table without subclusters (format notes, sections 4 and 6).
 *
 * <pre>
 *   63      62          61..56    55..9            8..1      0
 *   COPIED  COMPRESSED  reserved  cluster offset   reserved  ZERO
 *
 *   compressed:  61..x  additional sectors    x-1..0  byte offset    x = 62 - (cluster_bits - 8)
 * </pre>
 */
public final class L2Entry {

    /** The bits of a standard entry that hold the host offset. */
    public static final long OFFSET_MASK = 0x00ff_ffff_ffff_fe00L;
    /** Set where the host cluster's refcount is exactly 1. */
    public static final long COPIED = 1L << 63;
    /** Set where the cluster is stored compressed. */
    public static final long COMPRESSED = 1L << 62;
    /** Set where the cluster reads as zeroes, whatever its offset; version 3 only. */
    public static final long ZERO = 1;
    /** Bits of a standard entry that must be clear. */
    public static final long RESERVED = ~(OFFSET_MASK | COPIED | COMPRESSED | ZERO);

    private L2Entry() {}

    /** An entry for a data cluster that nobody else refers to. */
    public static long data(long hostOffset) {
        return hostOffset | COPIED;
    }

    /** An entry for a stream of {@code length} bytes at any host offset. */
    public static long compressed(long streamOffset, int length, int clusterBits) {
        long sectors = (streamOffset + length - 1) / Geometry.SECTOR - streamOffset / Geometry.SECTOR;
        return COMPRESSED | sectors << streamShift(clusterBits) | streamOffset;
    }

    /** Whether the cluster is stored compressed. */
    public static boolean isCompressed(long entry) {
        return (entry & COMPRESSED) != 0;
    }

    /** Whether a standard entry says that the cluster reads as zeroes. */
    public static boolean isZero(long entry) {
        return (entry & (COMPRESSED | ZERO)) == ZERO;
    }

    /** Whether a standard entry's cluster may be written in place. */
    public static boolean isCopied(long entry) {
        return entry < 0;
    }

    /** The host offset of a standard entry; 0 for none. */
    public static long hostOffset(long entry) {
        return entry & OFFSET_MASK;
    }

    /** The host byte offset where a compressed stream starts. */
    public static long streamOffset(long entry, int clusterBits) {
        return entry & ((1L << streamShift(clusterBits)) - 1);
    }

    /** The most bytes that a compressed stream has: to the end of its last sector. */
    public static int streamLength(long entry, int clusterBits) {
        int sectors = (int) (entry >>> streamShift(clusterBits)) & ((1 << (clusterBits - 8)) - 1);
        int intoSector = (int) streamOffset(entry, clusterBits) & (Geometry.SECTOR - 1);
        return (sectors + 1) * Geometry.SECTOR - intoSector;
    }

    private static int streamShift(int clusterBits) {
        return 62 - (clusterBits - 8);
    }
}
