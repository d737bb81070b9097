package io.qfuse.qcow2.format;

/**
 * An entry of an L1 table (format notes, section 4).
 *
 * <pre>
 *   63      62..56     55..9            8..0
 *   COPIED  reserved   L2 table offset  reserved
 * </pre>
 */
public final class L1Entry {

    /** The bits that hold the offset of the L2 table. */
    public static final long OFFSET_MASK = 0x00ff_ffff_ffff_fe00L;
    /** Set where the L2 table's refcount is exactly 1. */
    public static final long COPIED = 1L << 63;
    /** Bits that must be clear. */
    public static final long RESERVED = ~(OFFSET_MASK | COPIED);

    private L1Entry() {}

    /** An entry for an L2 table that nobody else refers to. */
    public static long of(long l2Offset) {
        return l2Offset | COPIED;
    }

    /** Where the L2 table is; 0 for none. */
    public static long l2Offset(long entry) {
        return entry & OFFSET_MASK;
    }

    /** Whether the L2 table may be written in place. */
    public static boolean isCopied(long entry) {
        return entry < 0;
    }
}
