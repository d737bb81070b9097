package io.qfuse.qcow2.guard;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A set of host clusters with a few bits for each, in an open-addressing table of one word a cluster:
 *
 * <pre>
 *   63..17          16  15..0
 *   cluster number  1   bits
 * </pre>
 *
 * <ol>
 *   <li>A word of 0 is an empty slot and ends a search; a slot that was ever taken is never emptied in its table. So a
 *       reader that passes by while others change the set finds whatever was there before and after.
 *   <li>A cluster has one slot for ever; one that has left the set keeps it with no bits, until the table is rebuilt.
 *   <li>A rebuilt table is complete before it is published.
 *   <li>Multipliers drawn at random spread the clusters: an image cannot be made to collide.
 * </ol>
 *
 * <p>{@link #bits} may be called by any thread at any time, and takes no lock and no memory; whoever changes the set
 * excludes other changes. An addition that nothing orders before a search may be missed by it.
 */
final class ClusterRoles {

    /** Bits of a cluster. */
    static final int WIDTH = 16;

    private static final int MASK = (1 << WIDTH) - 1;
    private static final int TAKEN = 1 << WIDTH;
    private static final int SHIFT = WIDTH + 1;
    private static final int SMALLEST = 64;
    private static final VarHandle WORDS = MethodHandles.arrayElementVarHandle(long[].class);

    private final long first = ThreadLocalRandom.current().nextLong() | 1;
    private final long second = ThreadLocalRandom.current().nextLong() | 1;

    private volatile long[] words = new long[SMALLEST];

    /** Slots of {@link #words} that are not empty. */
    private int taken;

    /** The bits of a cluster, 0 where it is not in the set. */
    int bits(long cluster) {
        long[] table = words;
        int last = table.length - 1;
        for (int slot = start(cluster) & last; ; slot = (slot + 1) & last) {
            // Read once: a slot that is empty now may be another cluster's a moment later.
            long word = (long) WORDS.getOpaque(table, slot);
            if (word == 0) {
                return 0;
            }
            if (word >>> SHIFT == cluster) {
                return (int) word & MASK;
            }
        }
    }

    /** Sets the bits of a cluster below 2^47. */
    void set(long cluster, int bits) {
        long[] table = words;
        int slot = slot(table, cluster);
        if (table[slot] == 0 && bits != 0) {
            table = roomFor(table);
            slot = slot(table, cluster);
            taken++;
        } else if (table[slot] == 0) {
            return;
        }
        WORDS.setRelease(table, slot, cluster << SHIFT | TAKEN | bits);
    }

    /** The table to add to: at most three quarters of its slots are taken afterwards. */
    private long[] roomFor(long[] table) {
        if (taken < table.length / 4 * 3) {
            return table;
        }
        int live = 0;
        for (long word : table) {
            live += (word & MASK) != 0 ? 1 : 0;
        }
        // Where many have left the set, a table of the same size has room again.
        long[] rebuilt = new long[live < table.length / 2 ? table.length : table.length * 2];
        for (long word : table) {
            if ((word & MASK) != 0) {
                rebuilt[slot(rebuilt, word >>> SHIFT)] = word;
            }
        }
        taken = live;
        words = rebuilt;
        return rebuilt;
    }

    /** The slot of a cluster, or the empty one where it would be; for whoever changes the set. */
    private int slot(long[] table, long cluster) {
        int last = table.length - 1;
        int slot = start(cluster) & last;
        while (table[slot] != 0 && table[slot] >>> SHIFT != cluster) {
            slot = (slot + 1) & last;
        }
        return slot;
    }

    /** Where the search for a cluster starts, modulo the table's length. */
    private int start(long cluster) {
        long mixed = cluster * first;
        return (int) (((mixed ^ (mixed >>> 32)) * second) >>> 32);
    }
}
