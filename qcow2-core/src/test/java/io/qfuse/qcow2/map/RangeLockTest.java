package io.qfuse.qcow2.map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD) // what waits in a circle fails
final class RangeLockTest {

    private static final int THREADS = 4;
    private static final int STEPS = 4000;
    private static final int WRITTEN = -1;

    @ParameterizedTest
    @CsvSource({"1, 16, 40", "2, 16, 3000", "3, 21, 700", "4, 9, 300000"})
    void overlapping_ranges_exclude_each_other_and_never_wait_in_a_circle(long seed, int clusterBits, int clusters)
            throws Exception {
        RangeLock lock = new RangeLock(clusterBits);
        AtomicIntegerArray users = new AtomicIntegerArray(clusters);
        ExecutorService pool = Executors.newFixedThreadPool(THREADS);
        try {
            List<Future<?>> all = new ArrayList<>();
            for (int t = 0; t < THREADS; t++) {
                Random random = new Random(seed * 101 + t);
                all.add(pool.submit(() -> useAtRandom(lock, users, random)));
            }
            for (Future<?> one : all) {
                one.get();
            }
        } finally {
            pool.shutdownNow();
        }
        lock.lockAll(); // nothing is left held
        lock.unlockAll();
    }

    private static void useAtRandom(RangeLock lock, AtomicIntegerArray users, Random random) {
        int clusters = users.length();
        for (int step = 0; step < STEPS; step++) {
            int first = random.nextInt(clusters);
            int last = Math.min(clusters - 1, first + random.nextInt(1 << random.nextInt(12)));
            int kind = random.nextInt(100);
            if (kind == 0) {
                lock.lockAll();
                write(users, first, last);
                lock.unlockAll();
            } else if (kind < 40) {
                lock.lockExclusive(first, last);
                write(users, first, last);
                lock.unlockExclusive(first, last);
            } else {
                lock.lockShared(first, last);
                read(users, first, last);
                lock.unlockShared(first, last);
            }
        }
    }

    private static void write(AtomicIntegerArray users, int first, int last) {
        for (int i = first; i <= last; i++) {
            assertThat(users.compareAndSet(i, 0, WRITTEN)).isTrue();
        }
        for (int i = first; i <= last; i++) {
            users.set(i, 0);
        }
    }

    private static void read(AtomicIntegerArray users, int first, int last) {
        for (int i = first; i <= last; i++) {
            assertThat(users.incrementAndGet(i)).isPositive();
        }
        for (int i = first; i <= last; i++) {
            users.decrementAndGet(i);
        }
    }

    @Test
    void readers_of_one_cluster_hold_it_together() throws Exception {
        RangeLock lock = new RangeLock(16);
        lock.lockShared(5, 5);
        Thread second = new Thread(() -> {
            lock.lockShared(0, 1000);
            lock.unlockShared(0, 1000);
        });
        second.start();
        second.join();
        lock.unlockShared(5, 5);
    }

    @Test
    void writer_gets_in_between_readers_that_never_pause() throws Exception {
        RangeLock lock = new RangeLock(16);
        AtomicBoolean written = new AtomicBoolean();
        CountDownLatch running = new CountDownLatch(THREADS);
        List<Thread> readers = new ArrayList<>();
        for (int t = 0; t < THREADS; t++) {
            Thread reader = new Thread(() -> {
                boolean first = true;
                while (!written.get()) {
                    lock.lockShared(0, 8);
                    if (first) {
                        running.countDown();
                        first = false;
                    }
                    lock.unlockShared(0, 8);
                }
            });
            reader.start();
            readers.add(reader);
        }
        running.await();
        lock.lockExclusive(3, 20);
        written.set(true);
        lock.unlockExclusive(3, 20);
        for (Thread reader : readers) {
            reader.join();
        }
    }

    @Test
    void hold_that_is_not_there_cannot_be_released() {
        RangeLock lock = new RangeLock(16);
        assertThatThrownBy(() -> lock.unlockShared(1, 1)).isInstanceOf(IllegalMonitorStateException.class);
        lock.lockShared(1, 1);
        assertThatThrownBy(() -> lock.unlockExclusive(1, 1)).isInstanceOf(IllegalMonitorStateException.class);
        lock.unlockShared(1, 1);
        assertThatThrownBy(() -> lock.lockShared(9, 1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void uncontended_holds_allocate_nothing() {
        RangeLock lock = new RangeLock(16);
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long least = Long.MAX_VALUE;
        for (int round = 0; round < 20; round++) { // the first rounds load classes
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 1000; i++) {
                lock.lockShared(i, i);
                lock.unlockShared(i, i);
                lock.lockExclusive(i, i + 20);
                lock.unlockExclusive(i, i + 20);
            }
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        assertThat(least).isLessThan(1000); // over 4000 calls
    }
}
