package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.io.HostIoException;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.ImageTally;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.PowerLossFile;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Each call to the host fails once, in turn: it is told, nothing is lost, and the disk stays consistent. */
final class FlushFailureTest {

    private static final int ENOSPC = 28;
    private static final int SECTOR = 512;
    private static final int SECTORS = 512;
    private static final int MOST_SECTORS = 800;
    private static final int OPERATIONS = 45;
    /** Of the calls of a history, about so many are tried. */
    private static final int TRIED = 25;

    static List<ImageKind> kinds() {
        return List.of(
                new ImageKind(3, 9, 6, false),
                new ImageKind(3, 9, 0, true),
                new ImageKind(2, 12, 4, true),
                new ImageKind(3, 14, 4, true, true),
                new ImageKind(3, 16, 1, false));
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void any_call_that_fails_once_is_told_and_loses_nothing(ImageKind kind) throws IOException {
        try (NativeBuffer buffer = NativeBuffer.allocate(MOST_SECTORS * SECTOR)) {
            for (long seed = 1; seed <= 2; seed++) {
                History whole = new History(kind, seed, Integer.MAX_VALUE, buffer);
                whole.run();
                int step = Math.max(1, whole.historyCalls / TRIED);
                for (int call = (int) seed % step; call < whole.historyCalls; call += step) {
                    History history = new History(kind, seed, call, buffer);
                    try {
                        history.run();
                    } catch (IOException | RuntimeException | AssertionError e) {
                        throw new AssertionError(kind + ", seed " + seed + ", call " + call + " fails", e);
                    }
                }
            }
        }
    }

    /** A file on a host without room behind some offset. */
    private static final class FullFile extends ForwardingFile {

        private long room = Long.MAX_VALUE;

        FullFile(MemoryHostFile to) {
            super(to);
        }

        @Override
        protected void before(String call, long offset, long length) throws IOException {
            if (offset + length > room) {
                throw new HostIoException(path(), call, ENOSPC, "no space");
            }
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void a_full_host_refuses_new_clusters_keeps_all_else_and_leaks_nothing(ImageKind kind) throws IOException {
        MemoryHostFile image = kind.create(2 << 20);
        FullFile file = new FullFile(image);
        try (NativeBuffer buffer = NativeBuffer.allocate(2 << 20);
                Disk disk = TestDisk.open(file, new MemoryHostFile("base.raw"))) {
            NativeBuffer.zero(buffer.address(), 100_000);
            disk.write(0, buffer.address(), 100_000);
            disk.flush();
            file.room = image.size();
            for (int i = 0; i < 300; i++) {
                long offset = 500_000 + 5000L * i;
                assertThatThrownBy(() -> disk.write(offset, buffer.address(), 3000))
                        .isInstanceOfSatisfying(
                                HostIoException.class,
                                e -> assertThat(e.errno()).isEqualTo(ENOSPC));
                disk.write(300L * i, buffer.address(), 300);
            }
            file.room = Long.MAX_VALUE;
            disk.flush();
            NativeBuffer.putLong(buffer.address(), 7);
            disk.write(1_000_000, buffer.address(), 8);
            disk.flush();
            assertThat(TestDisk.read(disk, 1_000_000, 8, buffer)).containsOnlyOnce(7);
            ImageTally tally = new ImageTally(image);
            assertThat(tally.corruptions()).isEmpty();
            assertThat(tally.leaks()).isZero();
        }
    }

    /** A file of which one call fails: a write after half of its sectors, everything else before it does anything. */
    private static final class FailingFile extends ForwardingFile {

        private final int failing;
        private int calls;
        private @Nullable String failed;
        private boolean told;

        FailingFile(PowerLossFile to, int failing) {
            super(to);
            this.failing = failing;
        }

        @Override
        protected void before(String call, long offset, long length) throws IOException {
            if (calls++ == failing) {
                failed = call;
                throw new HostIoException(path(), call, ENOSPC, "no space");
            }
        }

        @Override
        public void write(long offset, long address, int length) throws IOException {
            if (calls == failing) {
                int half = length / 2 & -SECTOR;
                failing(() -> super.write(offset, address, half));
            } else {
                super.write(offset, address, length);
            }
        }

        @Override
        public void write(long offset, byte[] from, int start, int length) throws IOException {
            if (calls == failing) {
                int half = length / 2 & -SECTOR;
                failing(() -> super.write(offset, from, start, half));
            } else {
                super.write(offset, from, start, length);
            }
        }

        private void failing(Part part) throws IOException {
            calls = failing + 1;
            part.write();
            calls = failing;
            before("write", 0, 0);
        }

        private interface Part {
            void write() throws IOException;
        }
    }

    /** A seeded history of operations with what each sector may hold, now and after a power loss. */
    private static final class History {

        private final FailingFile file;
        private final PowerLossFile disks;
        private final MemoryHostFile base = new MemoryHostFile("base.raw");
        private final NativeBuffer buffer;
        private final Random random;
        private final Disk disk;
        /** What a read of a sector may show. */
        private final List<Set<Long>> now = new ArrayList<>();
        /** What a sector may hold after a power loss. */
        private final List<Set<Long>> left = new ArrayList<>();

        private long lastId;
        private int historyCalls;

        History(ImageKind kind, long seed, int failing, NativeBuffer buffer) throws IOException {
            this.random = new Random(seed);
            this.buffer = buffer;
            this.disks = new PowerLossFile(kind.create(SECTORS * SECTOR));
            this.file = new FailingFile(disks, failing);
            for (int i = 0; i < MOST_SECTORS; i++) {
                long id = kind.backed() && i < SECTORS - 3 && i % 7 != 0 ? 1_000_000 + i : 0;
                fill(buffer.address(), id);
                base.write((long) i * SECTOR, buffer.address(), SECTOR);
                now.add(new HashSet<>(Set.of(id)));
                left.add(new HashSet<>(Set.of(id)));
            }
            base.truncate((SECTORS - 3) * SECTOR);
            this.disk = TestDisk.open(file, base.copy());
        }

        private static void fill(long address, long id) {
            for (int i = 0; i < SECTOR; i += 8) {
                NativeBuffer.putLong(address + i, id);
            }
        }

        void run() throws IOException {
            for (int i = 0; i < OPERATIONS; i++) {
                step();
                if (file.failed != null && !file.told) {
                    fail("the failed " + file.failed + " was told to nobody, operation " + i);
                }
                if (disk.writable()) {
                    continue;
                }
                assertThatNothingIsWrittenAnyMore();
                return;
            }
            checkAll(disk, now);
            historyCalls = file.calls;
            disk.flush();
            checkAll(disk, now);
            disk.close();
            checkDisk(disks.afterLossAt(disks.moments(), 0), now);
        }

        private void step() throws IOException {
            int size = (int) (disk.size() / SECTOR);
            int first = random.nextInt(size);
            int count = 1 + random.nextInt(Math.min(size - first, random.nextInt(3) == 0 ? 200 : 20));
            switch (random.nextInt(11)) {
                case 0, 1, 2, 3 -> write(first, count);
                case 4, 5 -> zero(first, count, true);
                case 6 -> zero(first, count, false);
                case 7 -> attempt(() -> disk.allocate((long) first * SECTOR, (long) count * SECTOR));
                case 8 -> resize(size);
                default -> flush();
            }
        }

        private void write(int first, int count) throws IOException {
            long ids = lastId + 1;
            for (int i = 0; i < count; i++) {
                fill(buffer.address() + (long) i * SECTOR, ++lastId);
            }
            boolean done = attempt(() -> disk.write((long) first * SECTOR, buffer.address(), count * SECTOR));
            for (int i = 0; i < count; i++) {
                note(first + i, ids + i, done);
            }
            if (!done) {
                lookAtTheDisk();
            }
        }

        private void zero(int first, int count, boolean unmap) throws IOException {
            boolean done = attempt(() -> disk.writeZeroes((long) first * SECTOR, (long) count * SECTOR, unmap));
            for (int i = 0; i < count; i++) {
                note(first + i, 0, done);
            }
            if (!done) {
                lookAtTheDisk();
            }
        }

        private void note(int sector, long id, boolean done) {
            if (done) {
                now.get(sector).clear();
            }
            now.get(sector).add(id);
            left.get(sector).add(id);
        }

        private void resize(int from) throws IOException {
            int to = 100 + random.nextInt(MOST_SECTORS - 100);
            for (int i = from; i < to; i++) {
                now.set(i, new HashSet<>(Set.of(0L)));
                left.set(i, new HashSet<>(Set.of(0L)));
            }
            boolean done = attempt(() -> disk.resize((long) to * SECTOR));
            assertThat(disk.size() / SECTOR).isIn((long) to, done ? (long) to : (long) from);
            if (!done) {
                lookAtTheDisk();
            }
        }

        private void flush() throws IOException {
            if (attempt(disk::flush)) {
                for (int i = 0; i < MOST_SECTORS; i++) {
                    left.get(i).clear();
                    left.get(i).addAll(now.get(i));
                }
            } else {
                lookAtTheDisk();
            }
        }

        /** Whether an operation succeeded; it fails exactly where a call of it does. */
        private boolean attempt(Operation operation) throws IOException {
            try {
                operation.run();
                return true;
            } catch (HostIoException e) {
                assertThat(e.errno()).isEqualTo(ENOSPC);
                tell(e);
            } catch (Qcow2Exception e) {
                assertThat(e.kind()).isEqualTo(Kind.FLUSH_FAILED);
                assertThat(file.failed).isEqualTo("sync");
                tell(e);
            }
            return false;
        }

        private void tell(IOException e) throws IOException {
            if (file.failed == null || file.told) {
                throw e;
            }
            file.told = true;
        }

        private interface Operation {
            void run() throws IOException;
        }

        /** What the power would leave at this moment. */
        private void lookAtTheDisk() throws IOException {
            for (long loss = 0; loss < 6; loss++) {
                checkDisk(disks.afterLossAt(disks.moments(), loss), left);
            }
        }

        private void checkDisk(MemoryHostFile image, List<Set<Long>> possible) throws IOException {
            assertThat(new ImageTally(image).corruptions()).isEmpty();
            try (Disk after = TestDisk.open(image, base.copy())) {
                checkAll(after, possible);
            }
        }

        private void checkAll(Disk looked, List<Set<Long>> possible) throws IOException {
            int size = (int) looked.size();
            looked.read(0, buffer.address(), size);
            for (int sector = 0; sector < size / SECTOR; sector++) {
                long at = buffer.address() + (long) sector * SECTOR;
                long id = NativeBuffer.getLong(at);
                assertThat(possible.get(sector)).as("sector %d", sector).contains(id);
                assertThat(NativeBuffer.getLong(at + SECTOR - 8))
                        .as("sector %d, its end", sector)
                        .isEqualTo(id);
            }
        }

        private void assertThatNothingIsWrittenAnyMore() throws IOException {
            assertThat(file.failed).isEqualTo("sync");
            int calls = file.calls;
            refused(disk::flush);
            refused(() -> disk.write(0, buffer.address(), SECTOR));
            refused(() -> disk.writeZeroes(0, SECTOR, true));
            refused(() -> disk.resize(SECTOR));
            checkAll(disk, now);
            refused(disk::close);
            assertThat(file.calls).isEqualTo(calls);
            lookAtTheDisk();
        }

        private static void refused(Operation operation) {
            assertThatThrownBy(operation::run)
                    .isInstanceOfSatisfying(
                            Qcow2Exception.class, e -> assertThat(e.kind()).isEqualTo(Kind.FLUSH_FAILED));
        }
    }
}
