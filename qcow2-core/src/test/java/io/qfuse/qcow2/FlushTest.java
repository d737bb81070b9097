package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.format.HeaderField;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.ImageTally;
import io.qfuse.qcow2.testing.ImageTally.Use;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.PowerLossFile;
import io.qfuse.qcow2.testing.RecordingFile;
import io.qfuse.qcow2.testing.RecordingFile.Call;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a flush does to the host file, and in which order. */
final class FlushTest {

    private static final int SIZE = 1 << 20;
    private static final ImageKind TINY = new ImageKind(3, 9, 6, false);
    private static final ImageKind USUAL = new ImageKind(3, 16, 4, false);

    private final NativeBuffer buffer = NativeBuffer.allocate(SIZE);

    @AfterEach
    void free() {
        buffer.close();
    }

    private static Disk open(RecordingFile file) throws IOException {
        return TestDisk.open(file, new MemoryHostFile("no base"));
    }

    private void write(Disk disk, long offset, int length) throws IOException {
        for (int i = 0; i < length; i += 8) {
            NativeBuffer.putLong(buffer.address() + i, offset + i + 1);
        }
        disk.write(offset, buffer.address(), length);
    }

    private static long syncs(List<Call> calls) {
        return calls.stream().filter(Call::isSync).count();
    }

    @Test
    void an_fsync_after_overwrites_is_exactly_one_barrier_and_one_after_nothing_is_none() throws IOException {
        RecordingFile file = new RecordingFile(USUAL.create(SIZE));
        try (Disk disk = open(file)) {
            disk.flush();
            assertThat(file.take())
                    .as("what was written before the image was opened")
                    .hasSize(1);
            write(disk, 0, SIZE);
            disk.flush();
            file.take();
            disk.flush();
            assertThat(file.take()).isEmpty();
            write(disk, 300_000, 4096);
            write(disk, 65_000, 4096);
            disk.flush();
            List<Call> calls = file.take();
            assertThat(syncs(calls)).isEqualTo(1);
            assertThat(calls.get(calls.size() - 1).isSync()).isTrue();
            disk.flush();
            assertThat(file.take()).isEmpty();
        }
        assertThat(file.take()).isEmpty();
    }

    @Test
    void an_fsync_after_writes_into_an_existing_table_is_two_barriers() throws IOException {
        RecordingFile file = new RecordingFile(USUAL.create(SIZE));
        try (Disk disk = open(file)) {
            write(disk, 0, 4096);
            disk.flush();
            write(disk, 500_000, 4096);
            file.take();
            disk.flush();
            assertThat(syncs(file.take())).isEqualTo(2);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {9, 12, 16})
    void ranks_are_written_bottom_up_with_a_barrier_before_each(int clusterBits) throws IOException {
        MemoryHostFile image = new ImageKind(3, clusterBits, 6, false).create(SIZE);
        RecordingFile file = new RecordingFile(image);
        try (Disk disk = open(file)) {
            disk.flush();
            write(disk, 0, 100_000);
            write(disk, SIZE - 5000, 5000);
            file.take();
            disk.flush();
        }
        ImageTally tally = new ImageTally(image.copy());
        assertThat(tally.corruptions()).isEmpty();
        List<Call> calls = file.take();
        Use last = Use.HEADER;
        boolean synced = false;
        for (Call call : calls) {
            if (call.isSync()) {
                synced = true;
                continue;
            }
            Use use = tally.use(call.offset());
            assertThat(use).as("%s of %s", use, call).isIn(Use.REFCOUNT_BLOCK, Use.REFCOUNT_TABLE, Use.L2, Use.L1);
            if (use != last) {
                assertThat(use).as("after %s", last).isGreaterThan(last);
                assertThat(synced || last == Use.HEADER)
                        .as("barrier between %s and %s", last, use)
                        .isTrue();
            }
            last = use;
            synced = false;
        }
        assertThat(last).isEqualTo(Use.L1);
        assertThat(synced).as("a barrier at the end").isTrue();
    }

    /** Looks at each change of the header that names another table. */
    private static final class SwitchWatcher extends RecordingFile {

        private final MemoryHostFile image;
        private final List<Integer> switched = new ArrayList<>();

        SwitchWatcher(MemoryHostFile image) {
            super(image);
            this.image = image;
        }

        @Override
        public void write(long offset, byte[] from, int start, int length) throws IOException {
            if (offset == HeaderField.L1 || offset == HeaderField.REFCOUNT_TABLE) {
                assertThat(isUnsynced())
                        .as("unsynced writes when the header switches")
                        .isFalse();
                ByteBuffer old = ByteBuffer.wrap(image.bytes(offset, 12));
                ByteBuffer now = ByteBuffer.wrap(from, start, length);
                if (offset == HeaderField.L1) {
                    compare(old.getInt(), old.getLong(), now.getInt(), now.getLong());
                } else {
                    int entriesPerCluster = 512 / 8;
                    long oldOffset = old.getLong();
                    long newOffset = now.getLong();
                    compare(old.getInt() * entriesPerCluster, oldOffset, now.getInt() * entriesPerCluster, newOffset);
                }
                switched.add((int) offset);
            }
            super.write(offset, from, start, length);
        }

        private void compare(int entries, long from, int newEntries, long to) {
            assertThat(newEntries).isGreaterThan(entries);
            ByteBuffer before = ByteBuffer.wrap(image.bytes(from, 8 * entries));
            ByteBuffer after = ByteBuffer.wrap(image.bytes(to, 8 * newEntries));
            while (before.hasRemaining()) {
                long entry = before.getLong();
                long moved = after.getLong();
                assertThat(entry == 0 || moved == entry)
                        .as("entry of the new table")
                        .isTrue();
            }
        }
    }

    @Test
    void a_table_that_moves_is_complete_and_durable_before_the_header_names_it() throws IOException {
        MemoryHostFile image = TINY.create(SIZE);
        SwitchWatcher file = new SwitchWatcher(image);
        try (Disk disk = open(file)) {
            write(disk, 1000, 200_000);
            disk.flush();
            disk.resize(5 << 20);
            assertThat(file.switched).containsExactly(HeaderField.L1);
            for (int i = 1; i < 5; i++) {
                write(disk, (long) i << 20, SIZE);
            }
            disk.flush();
            assertThat(file.switched).contains(HeaderField.REFCOUNT_TABLE);
        }
        ImageTally tally = new ImageTally(image.copy());
        assertThat(tally.corruptions()).isEmpty();
        assertThat(tally.leaks()).isZero();
    }

    @Test
    void the_zeroes_and_the_table_of_a_grown_disk_are_durable_before_its_size() throws IOException {
        RecordingFile file = new RecordingFile(TINY.create(SIZE));
        try (Disk disk = open(file)) {
            disk.resize(5 << 20);
            List<Call> calls = file.take();
            int size = calls.indexOf(new Call("write", HeaderField.SIZE, 8));
            assertThat(size).isPositive();
            assertThat(calls.get(size - 1).isSync()).isTrue();
            assertThat(calls.subList(size + 1, calls.size())).containsExactly(new Call("sync", 0, 0));
            assertThat(calls.subList(0, size)).contains(new Call("write", HeaderField.L1, 12));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void a_discarded_cluster_is_neither_punched_nor_reused_before_a_flush_and_reused_after_it(boolean overwritten)
            throws IOException {
        int cluster = TINY.clusterSize();
        RecordingFile file = new RecordingFile(TINY.create(SIZE));
        try (Disk disk = open(file)) {
            write(disk, 0, 20 * cluster);
            disk.flush();
            file.take();
            write(disk, 7L * cluster, cluster);
            long host = file.take().get(0).offset();
            disk.writeZeroes(7L * cluster, cluster, true);
            if (overwritten) {
                write(disk, 7L * cluster, cluster);
            }
            write(disk, 400_000, 40 * cluster);
            assertThat(file.take()).noneMatch(call -> call.touches(host, cluster));
            disk.flush();
            List<Call> calls = file.take();
            int punched = calls.indexOf(new Call("punchHole", host, cluster));
            assertThat(punched).isPositive();
            assertThat(calls.subList(punched, calls.size()))
                    .as("barriers after the punch")
                    .noneMatch(Call::isSync);
            assertThat(calls.get(punched - 1).isSync()).isTrue();
            write(disk, 800_000, cluster);
            assertThat(file.take()).anyMatch(call -> call.touches(host, cluster));
        }
    }

    /** Stops in its second barrier until it is told to go on. */
    private static final class SlowFile extends RecordingFile {

        private final CountDownLatch begun = new CountDownLatch(1);
        private final CountDownLatch go = new CountDownLatch(1);
        private volatile boolean slow;

        SlowFile(PowerLossFile file) {
            super(file);
        }

        @Override
        public void sync() throws IOException {
            if (slow) {
                slow = false;
                begun.countDown();
                try {
                    go.await();
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
            }
            super.sync();
        }
    }

    @Test
    void flushes_that_come_together_share_a_checkpoint_and_all_are_durable() throws Exception {
        int callers = 8;
        PowerLossFile disks = new PowerLossFile(USUAL.create(SIZE));
        SlowFile file = new SlowFile(disks);
        try (Disk disk = open(file)) {
            write(disk, 0, SIZE);
            disk.flush();
            file.take();
            file.slow = true;
            List<Throwable> failures = new CopyOnWriteArrayList<>();
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < callers; i++) {
                int number = i;
                Thread thread = new Thread(() -> {
                    try (NativeBuffer sector = NativeBuffer.allocate(512)) {
                        NativeBuffer.zero(sector.address(), 512);
                        disk.write(512L * number, sector.address(), 512);
                        disk.flush();
                    } catch (IOException e) {
                        failures.add(e);
                    }
                });
                thread.start();
                threads.add(thread);
                if (i == 0) {
                    file.begun.await();
                }
            }
            for (Thread waiting : threads.subList(1, callers)) {
                while (waiting.getState() != Thread.State.WAITING) {
                    Thread.onSpinWait();
                }
            }
            file.go.countDown();
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(failures).isEmpty();
            assertThat(syncs(file.take())).isEqualTo(2);
            MemoryHostFile left = disks.afterLossAt(disks.moments(), 0);
            try (Disk after = TestDisk.open(left, new MemoryHostFile("no base"))) {
                assertThat(TestDisk.read(after, 0, 512 * callers, buffer)).containsOnly(0);
            }
        }
    }

    @Test
    void no_byte_is_changed_by_a_writable_mount_that_is_never_written() throws IOException {
        MemoryHostFile image = USUAL.create(SIZE);
        setAutoclear(image, 0xff);
        RecordingFile file = new RecordingFile(image);
        try (Disk disk = open(file)) {
            disk.read(0, buffer.address(), SIZE);
            disk.nextExtent(0);
            disk.flush();
        }
        assertThat(file.take()).allMatch(Call::isSync);
        assertThat(image.copy().bytes(HeaderField.AUTOCLEAR, 8)).endsWith(0xff);
    }

    @Test
    void no_call_changes_an_image_that_is_open_for_reading() throws IOException {
        MemoryHostFile image = USUAL.create(SIZE);
        setAutoclear(image, 1);
        RecordingFile file = new RecordingFile(image);
        OpenOptions reading = OpenOptions.readOnly();
        try (Disk disk = new Qcow2Image(
                new ImageFiles(file, null),
                HeaderReader.read(file),
                null,
                reading,
                Qcow2Image.ChainCaches.of(reading))) {
            disk.read(0, buffer.address(), SIZE);
            disk.flush();
            assertThat(disk.writable()).isFalse();
            for (ThrowingCallable change : List.<ThrowingCallable>of(
                    () -> write(disk, 0, 8),
                    () -> disk.writeZeroes(0, 8, true),
                    () -> disk.allocate(0, 8),
                    () -> disk.resize(2 * SIZE))) {
                assertThatThrownBy(change)
                        .isInstanceOfSatisfying(
                                Qcow2Exception.class,
                                e -> assertThat(e.kind()).isEqualTo(Qcow2Exception.Kind.READ_ONLY));
            }
        }
        assertThat(file.calls()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"write", "zero", "discard", "allocate", "grow", "shrink"})
    void autoclear_bits_are_durably_clear_before_the_first_change(String change) throws IOException {
        MemoryHostFile image = USUAL.create(SIZE);
        setAutoclear(image, 1);
        RecordingFile file = new RecordingFile(image);
        try (Disk disk = open(file)) {
            switch (change) {
                case "write" -> write(disk, 0, 8);
                case "zero" -> disk.writeZeroes(0, 100_000, false);
                case "discard" -> disk.writeZeroes(0, 100_000, true);
                case "allocate" -> disk.allocate(0, 100_000);
                case "grow" -> disk.resize(2 * SIZE);
                default -> disk.resize(SIZE / 2);
            }
            List<Call> calls = file.take();
            assertThat(calls).startsWith(new Call("write", HeaderField.AUTOCLEAR, 8), new Call("sync", 0, 0));
            assertThat(image.bytes(HeaderField.AUTOCLEAR, 8)).containsOnly(0);
            write(disk, 0, 8);
            assertThat(file.take()).doesNotContain(new Call("write", HeaderField.AUTOCLEAR, 8));
        }
    }

    private static void setAutoclear(MemoryHostFile image, int bits) {
        image.write(HeaderField.AUTOCLEAR + 7, new byte[] {(byte) bits}, 0, 1);
    }
}
