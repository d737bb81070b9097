package io.qfuse.qcow2.format;

/**
 * The second half of an extended L2 entry: which subclusters are stored and which are zero (format notes, section 5).
 *
 * <pre>
 *   63..32                          31..0
 *   subcluster x reads as zeroes    subcluster x is allocated
 * </pre>
 *
 * An entry without subclusters is taken as one with a single subcluster, so that one way of looking serves both.
 */
public final class Subclusters {

    /** Subclusters of a cluster with extended L2 entries. */
    public static final int COUNT = 32;

    private static final long ALLOCATED = 0xffff_ffffL;

    private Subclusters() {}

    /** A bitmap that says allocated for the subclusters {@code from} to {@code to} (exclusive) and nothing for others. */
    public static long allocated(int from, int to) {
        return ((1L << to) - 1) & -(1L << from);
    }

    /** A bitmap that says zero for the subclusters {@code from} to {@code to} (exclusive) and nothing for others. */
    public static long zero(int from, int to) {
        return allocated(from, to) << COUNT;
    }

    /** Whether a subcluster is stored in the host cluster. */
    public static boolean isAllocated(long bitmap, int subcluster) {
        return (bitmap & (1L << subcluster)) != 0;
    }

    /** Whether a subcluster reads as zeroes. */
    public static boolean isZero(long bitmap, int subcluster) {
        return (bitmap & (1L << (COUNT + subcluster))) != 0;
    }

    /** Whether any subcluster is said to be both, which nobody may write. */
    public static boolean contradicts(long bitmap) {
        return ((bitmap >>> COUNT) & bitmap & ALLOCATED) != 0;
    }

    /** Whether any subcluster is said to be allocated. */
    public static boolean anyAllocated(long bitmap) {
        return (bitmap & ALLOCATED) != 0;
    }

    /** How many subclusters from {@code from} on are alike, of {@code count} in all. */
    public static int alike(long bitmap, int from, int count) {
        int to = from + 1;
        while (to < count
                && isAllocated(bitmap, to) == isAllocated(bitmap, from)
                && isZero(bitmap, to) == isZero(bitmap, from)) {
            to++;
        }
        return to - from;
    }
}
