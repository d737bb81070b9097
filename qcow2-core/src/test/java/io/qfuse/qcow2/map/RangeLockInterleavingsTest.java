package io.qfuse.qcow2.map;

import static io.qfuse.qcow2.testing.Interleavings.Call.call;

import io.qfuse.qcow2.testing.Interleavings;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Ranges of numbers that are changed and read under holds, and nothing else. */
@Tag("interleavings")
final class RangeLockInterleavingsTest {

    /** Clusters as large as a group: each cluster has its own stripe, and cluster 251 the same as cluster 0. */
    private static final int CLUSTER_BITS = 18;

    /** The numbers of clusters 248 to 255, as they are where nobody is disturbed. */
    public static class Numbers {

        private final int[] numbers = new int[8];

        /** Raises the numbers of a range and returns their old values as digits. */
        public int raise(int first, int last) {
            int digits = digits(first, last);
            for (int cluster = first; cluster <= last; cluster++) {
                numbers[cluster % 8]++;
            }
            return digits;
        }

        public int read(int first, int last) {
            return digits(first, last);
        }

        /** Raises all numbers. */
        public void raiseAll() {
            for (int i = 0; i < numbers.length; i++) {
                numbers[i]++;
            }
        }

        private int digits(int first, int last) {
            int digits = 0;
            for (int cluster = first; cluster <= last; cluster++) {
                digits = 10 * digits + numbers[cluster % 8];
            }
            return digits;
        }
    }

    /** The same by many threads. */
    public static final class HeldNumbers extends Numbers {

        private final RangeLock lock = new RangeLock(CLUSTER_BITS);

        @Override
        public int raise(int first, int last) {
            lock.lockExclusive(first, last);
            try {
                return super.raise(first, last);
            } finally {
                lock.unlockExclusive(first, last);
            }
        }

        @Override
        public int read(int first, int last) {
            lock.lockShared(first, last);
            try {
                return super.read(first, last);
            } finally {
                lock.unlockShared(first, last);
            }
        }

        @Override
        public void raiseAll() {
            lock.lockAll();
            try {
                super.raiseAll();
            } finally {
                lock.unlockAll();
            }
        }
    }

    /** Upgrades its hold: lets the shared one go, takes the exclusive one, and does not look again. */
    public static final class NotLookingAgain extends Numbers {

        private final RangeLock lock = new RangeLock(CLUSTER_BITS);
        private int number;

        @Override
        public int raise(int first, int last) {
            lock.lockShared(first, last);
            int seen = number;
            lock.unlockShared(first, last);
            lock.lockExclusive(first, last);
            number = seen + 1;
            lock.unlockExclusive(first, last);
            return seen;
        }
    }

    /** Takes the stripes of a range in the order of its clusters, also where these go round the end. */
    public static final class TakenInTurn extends Numbers {

        private final Lock[] stripes = {new ReentrantLock(), new ReentrantLock(), new ReentrantLock()};

        @Override
        public int raise(int first, int last) {
            for (int cluster = first; cluster <= last; cluster++) {
                stripes[cluster % 3].lock();
            }
            try {
                return super.raise(first, last);
            } finally {
                for (int cluster = first; cluster <= last; cluster++) {
                    stripes[cluster % 3].unlock();
                }
            }
        }
    }

    @Test
    void overlapping_ranges_exclude_each_other() {
        new Interleavings(HeldNumbers.class, Numbers.class)
                .thread(call("raise", 248, 249), call("read", 249, 250))
                .thread(call("raise", 249, 250), call("raise", 248, 248))
                .last(call("read", 248, 251))
                .explore();
    }

    @Test
    void a_range_that_goes_round_the_end_of_the_stripes_and_the_hold_of_everything_never_wait_in_a_circle() {
        new Interleavings(HeldNumbers.class, Numbers.class)
                .thread(call("raise", 250, 251)) // the last stripe and the first
                .thread(call("raiseAll"))
                .last(call("read", 248, 255))
                .explore();
    }

    @Test
    void a_reader_sees_all_of_a_change_or_nothing_of_it() {
        new Interleavings(HeldNumbers.class, Numbers.class)
                .thread(call("raise", 248, 249))
                .thread(call("read", 248, 249), call("read", 248, 249))
                .explore();
    }

    @Test
    void an_upgrade_that_does_not_look_again_would_be_seen() {
        new Interleavings(NotLookingAgain.class)
                .thread(call("raise", 248, 248))
                .thread(call("raise", 248, 248))
                .requireSeen();
    }

    @Test
    void stripes_that_are_taken_in_no_common_order_would_be_seen() {
        new Interleavings(TakenInTurn.class, Numbers.class)
                .thread(call("raise", 248, 249)) // stripes 2, 0
                .thread(call("raise", 249, 251)) // stripes 0, 1, 2
                .requireSeen();
    }
}
