package io.qfuse.qcow2.map;

import java.util.concurrent.locks.StampedLock;
import java.util.function.Consumer;

/**
 * Shared and exclusive holds of ranges of guest clusters.
 *
 * <p>Neighbouring clusters form groups, groups are spread over a fixed number of stripes, and a range holds the stripes
 * of its groups. A range may so exclude another that it does not overlap, which costs time and nothing else.
 *
 * <h2>Concurrency</h2>
 *
 * <ol>
 *   <li>Stripes are taken in ascending order, so holders of several never wait in a circle.
 *   <li>A hold is not reentrant and cannot be upgraded: whoever wants another releases first, takes the other, and looks
 *       again at what it protects. Any thread may release it.
 *   <li>Newcomers queue behind whoever waits, so writers do not starve; waiting is not interrupted.
 *   <li>Neighbouring groups are on different stripes and stripes are padded: readers of different groups share no line.
 * </ol>
 *
 * <h2>Why not the obvious way</h2>
 *
 * A tree of the ranges held has no false conflicts, but each hold goes through the one lock around the tree, and
 * allocates. Here a request within a group costs one compare-and-set to lock and one to unlock.
 */
public final class RangeLock {

    /** A group covers 256 KiB, or one cluster where that is larger: a request of 1 MiB takes five stripes at most. */
    private static final int GROUP_BITS = 18;

    /** A prime, so that accesses at the strides that file systems like meet on one stripe only by chance. */
    private static final int STRIPES = 251;

    // Each of them without captured values, so that none is ever allocated.
    private static final Consumer<Stripe> LOCK_SHARED = Stripe::lockShared;
    private static final Consumer<Stripe> UNLOCK_SHARED = Stripe::unlockShared;
    private static final Consumer<Stripe> LOCK_EXCLUSIVE = Stripe::lockExclusive;
    private static final Consumer<Stripe> UNLOCK_EXCLUSIVE = Stripe::unlockExclusive;

    private final int groupBits;
    private final Stripe[] stripes = new Stripe[STRIPES];

    /** Protects the mapping of the groups that fall on it, and their bytes against changes of the mapping. */
    private static final class Stripe extends StampedLock {

        private static final long serialVersionUID = 1L;

        @SuppressWarnings("unused") // keeps the states of two stripes two cache lines apart
        private long p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15;

        // Stamps would have to be kept for each stripe of a range; what they check is checked by the state as well.

        void lockShared() {
            long unused = readLock();
        }

        void unlockShared() {
            if (!tryUnlockRead()) {
                throw new IllegalMonitorStateException("no shared hold");
            }
        }

        void lockExclusive() {
            long unused = writeLock();
        }

        void unlockExclusive() {
            if (!tryUnlockWrite()) {
                throw new IllegalMonitorStateException("no exclusive hold");
            }
        }
    }

    /**
     * A lock that nobody holds.
     *
     * @param clusterBits log2 of the cluster size
     */
    public RangeLock(int clusterBits) {
        this.groupBits = Math.max(0, GROUP_BITS - clusterBits);
        for (int i = 0; i < STRIPES; i++) {
            stripes[i] = new Stripe();
        }
    }

    /** Waits for a shared hold of the clusters from the first to the last, both included. */
    public void lockShared(long firstCluster, long lastCluster) {
        each(firstCluster, lastCluster, LOCK_SHARED);
    }

    /** Ends a shared hold of the same range. */
    public void unlockShared(long firstCluster, long lastCluster) {
        each(firstCluster, lastCluster, UNLOCK_SHARED);
    }

    /** Waits for an exclusive hold of the clusters from the first to the last, both included. */
    public void lockExclusive(long firstCluster, long lastCluster) {
        each(firstCluster, lastCluster, LOCK_EXCLUSIVE);
    }

    /** Ends an exclusive hold of the same range. */
    public void unlockExclusive(long firstCluster, long lastCluster) {
        each(firstCluster, lastCluster, UNLOCK_EXCLUSIVE);
    }

    /** Waits for an exclusive hold of everything. */
    public void lockAll() {
        eachStripe(0, STRIPES, LOCK_EXCLUSIVE);
    }

    /** Ends an exclusive hold of everything. */
    public void unlockAll() {
        eachStripe(0, STRIPES, UNLOCK_EXCLUSIVE);
    }

    private void each(long firstCluster, long lastCluster, Consumer<Stripe> action) {
        long firstGroup = firstCluster >>> groupBits;
        long groups = (lastCluster >>> groupBits) - firstGroup + 1;
        if (firstCluster < 0 || groups < 1) {
            throw new IllegalArgumentException("clusters " + firstCluster + " to " + lastCluster);
        }
        int first = (int) (firstGroup % STRIPES);
        if (groups == 1) {
            action.accept(stripes[first]);
        } else if (groups >= STRIPES) {
            eachStripe(0, STRIPES, action);
        } else {
            int end = first + (int) groups;
            eachStripe(0, end - STRIPES, action); // what goes round the end comes first
            eachStripe(first, Math.min(end, STRIPES), action);
        }
    }

    private void eachStripe(int from, int to, Consumer<Stripe> action) {
        for (int i = from; i < to; i++) {
            action.accept(stripes[i]);
        }
    }
}
