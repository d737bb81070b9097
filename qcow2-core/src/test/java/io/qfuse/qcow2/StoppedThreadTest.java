package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.map.RangeLock;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** One thread stands still in a call to the host, and others go on: orders that chance hardly ever brings. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD) // what waits for ever fails
final class StoppedThreadTest {

    private static final int SECTOR = 512;

    /** Stops the next thread of {@link Operation}s that is about to change the file, once. */
    private static final class Stop extends ForwardingFile {

        private final CountDownLatch reached = new CountDownLatch(1);
        private final CountDownLatch passed = new CountDownLatch(1);

        Stop(HostFile file) {
            super(file);
        }

        @Override
        protected void before(String call, long offset, long length) {
            if (Thread.currentThread() instanceof Operation && reached.getCount() > 0) {
                reached.countDown();
                await(passed);
            }
        }

        void awaitThread() {
            await(reached);
        }

        void letGo() {
            passed.countDown();
        }

        private static void await(CountDownLatch latch) {
            try {
                latch.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }

    /** Runs beside the test. */
    private static final class Operation extends Thread {

        private final FutureTask<Void> task;

        private Operation(FutureTask<Void> task) {
            super(task);
            this.task = task;
        }

        static Operation start(Callable<Void> work) {
            Operation operation = new Operation(new FutureTask<>(work));
            operation.start();
            return operation;
        }

        /** Returns when it has ended or waits for a range of guest clusters; whether it waits. */
        boolean waitsForHold() {
            while (isAlive()) {
                if (getState() == State.WAITING
                        && Arrays.stream(getStackTrace())
                                .anyMatch(frame -> frame.getClassName().equals(RangeLock.class.getName()))) {
                    return true;
                }
                Thread.onSpinWait();
            }
            return false;
        }

        void finish() throws Exception {
            task.get();
        }
    }

    private static void write(Disk disk, long offset, int length, int value) throws Exception {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) value);
        try (NativeBuffer buffer = NativeBuffer.allocate(length)) {
            NativeBuffer.put(buffer.address(), bytes, 0, length);
            disk.write(offset, buffer.address(), length);
        }
    }

    private static void requireContent(Disk disk, long offset, int length, int value) throws Exception {
        try (NativeBuffer buffer = NativeBuffer.allocate(length)) {
            assertThat(TestDisk.read(disk, offset, length, buffer)).containsOnly((byte) value);
        }
    }

    /** What it looked at without a hold could be half of an entry of before and half of one of after the change. */
    @Test
    void zeroing_looks_at_no_entry_that_somebody_is_changing() throws Exception {
        ImageKind kind = new ImageKind(3, 16, 4, false);
        int cluster = kind.clusterSize();
        Stop stop = new Stop(kind.create(2L * cluster));
        try (Disk disk = TestDisk.open(stop, new MemoryHostFile("base.raw"))) {
            write(disk, cluster, cluster, 2); // makes the table
            Operation writer = Operation.start(() -> {
                write(disk, 0, cluster, 1);
                return null;
            });
            stop.awaitThread(); // holds the cluster, and has not linked it
            Operation zeroing = Operation.start(() -> {
                disk.writeZeroes(0, cluster, true);
                return null;
            });
            boolean waited = zeroing.waitsForHold();
            stop.letGo();
            writer.finish();
            zeroing.finish();
            assertThat(waited).isTrue();
            requireContent(disk, 0, cluster, 0);
        }
    }

    /** Zeroes at the end of the disk go on to the end of its last cluster, unless the disk has one there by now. */
    @Test
    void zeroing_up_to_the_end_of_a_disk_that_grows_meanwhile_hits_nothing_behind_the_old_end() throws Exception {
        ImageKind kind = new ImageKind(3, 10, 4, false);
        long last = 40_000L * kind.clusterSize(); // not in the hold that the zeroing begins with
        long end = last + SECTOR;
        Stop stop = new Stop(kind.create(end));
        try (Disk disk = TestDisk.open(stop, new MemoryHostFile("base.raw"))) {
            write(disk, 0, kind.clusterSize(), 1);
            write(disk, last, SECTOR, 2);
            Operation zeroing = Operation.start(() -> {
                disk.writeZeroes(SECTOR, end - SECTOR, true);
                return null;
            });
            stop.awaitThread(); // at the second half of the first cluster
            disk.resize(end + SECTOR);
            write(disk, end, SECTOR, 3);
            stop.letGo();
            zeroing.finish();
            requireContent(disk, SECTOR, SECTOR, 0);
            requireContent(disk, last, SECTOR, 0);
            requireContent(disk, end, SECTOR, 3);
        }
    }
}
