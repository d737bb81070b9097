package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.HostIoException;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.Faults;
import io.qfuse.qcow2.testing.FaultyFile;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.ImageKind.Data;
import io.qfuse.qcow2.testing.ImageTally;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.PowerLossFile;
import io.qfuse.qcow2.testing.Specimen;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Calls to the host fail: whoever asked is told the errno, nothing is lost, and the disk stays consistent. */
final class FlushFailureTest {

    private static final boolean LONG = Boolean.getBoolean("qfuse.long");
    private static final int SECTOR = Sectors.SIZE;
    private static final int SIZE = 512 * SECTOR;
    /** In short histories every call fails in turn. */
    private static final int SHORT = 8;

    /** Hardly a slice is kept, so that tables are read again and again. */
    private static final long NO_CACHE = 1;

    private static final int OPERATIONS = 45;
    /** Of the calls of a long history, about so many are tried. */
    private static final int TRIED = LONG ? 400 : 10;

    private static final int SHORT_SEEDS = LONG ? 20 : 1;
    private static final int SEEDS = LONG ? 10 : 1;

    /** What a history begins with. */
    record Start(
            String name,
            MemoryHostFile image,
            MemoryHostFile base,
            @Nullable MemoryHostFile data) {

        static Start of(ImageKind kind) {
            return of(kind, kind.create(SIZE));
        }

        static Start of(ImageKind kind, MemoryHostFile image) {
            MemoryHostFile base = new MemoryHostFile("base.raw");
            if (kind.backed()) {
                byte[] below = TestDisk.baseBytes(SIZE - 3 * SECTOR);
                base.write(0, below, 0, below.length);
            }
            return new Start(kind.toString(), image, base, kind.createData(SIZE));
        }

        static Start of(Specimen specimen) {
            return new Start(specimen.toString(), specimen.file(), Specimen.base(), null);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    static List<ImageKind> kinds() {
        return List.of(
                new ImageKind(3, 9, 6, false),
                new ImageKind(3, 9, 0, true),
                new ImageKind(2, 12, 4, true),
                new ImageKind(3, 14, 4, true, true),
                new ImageKind(3, 16, 1, false));
    }

    static List<Start> starts() throws IOException {
        List<Start> starts = new ArrayList<>(kinds().stream().map(Start::of).toList());
        starts.add(Start.of(new ImageKind(3, 14, 4, true, true, Data.EXTERNAL)));
        starts.add(Start.of(new ImageKind(3, 9, 4, false, false, Data.EXTERNAL_RAW)));
        ImageKind encrypted = new ImageKind(3, 12, 0, true);
        starts.add(Start.of(encrypted, new EncryptedDiskTest.Kind(encrypted, "xts-plain64", 64).create(SIZE)));
        for (Specimen specimen : List.of(Specimen.SNAPSHOTS, Specimen.DEFLATE, Specimen.EXTENDED)) {
            starts.add(Start.of(specimen));
        }
        return starts;
    }

    @AfterAll
    static void tellHowMany() {
        System.out.println("FlushFailureTest: " + Faults.injected() + " faults injected");
    }

    @ParameterizedTest
    @MethodSource("starts")
    void any_call_that_fails_once_is_told_and_loses_nothing(Start start) throws IOException {
        for (long seed = 1; seed <= SHORT_SEEDS; seed++) {
            int calls = run(start, seed, SHORT, new Faults(0, 0, Faults.EIO));
            for (int call = 0; call < calls; call++) {
                run(start, seed, SHORT, new Faults(call, 1, call % 2 == 0 ? Faults.EIO : Faults.ENOSPC));
            }
        }
        for (long seed = 1; seed <= SEEDS; seed++) {
            int calls = run(start, seed, OPERATIONS, new Faults(0, 0, Faults.EIO));
            int step = Math.max(1, calls / TRIED);
            for (int call = (int) seed % step; call < calls; call += step) {
                run(start, seed, OPERATIONS, new Faults(call, 1, call % 2 == 0 ? Faults.EIO : Faults.ENOSPC));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("starts")
    void a_fault_that_lasts_is_told_each_time_and_loses_nothing(Start start) throws IOException {
        Random random = new Random(1);
        int calls = run(start, 1, OPERATIONS, new Faults(0, 0, Faults.EIO));
        for (int i = 0; i < TRIED; i++) {
            int errno = random.nextBoolean() ? Faults.EIO : Faults.ENOSPC;
            run(start, 1, OPERATIONS, new Faults(random.nextInt(calls), 2 + random.nextInt(40), errno));
        }
    }

    /** The calls of a history. */
    private static int run(Start start, long seed, int operations, Faults faults) {
        try (NativeBuffer buffer = NativeBuffer.allocate(3 << 20)) {
            new History(start, seed, faults, buffer).run(operations);
            return faults.calls();
        } catch (IOException | RuntimeException | AssertionError e) {
            throw new AssertionError(start + ", seed " + seed + ", " + operations + " operations, " + faults, e);
        }
    }

    @ParameterizedTest
    @MethodSource("starts")
    void opening_that_fails_is_told_changes_nothing_and_works_again(Start start) throws IOException {
        Faults none = new Faults(0, 0, Faults.EIO);
        openAndClose(start, none, start.image.copy());
        for (int call = 0; call < none.calls(); call++) {
            Faults faults = new Faults(call, 1, Faults.EIO);
            MemoryHostFile image = start.image.copy();
            IOException told = catchThrowableOfType(IOException.class, () -> openAndClose(start, faults, image));
            requireTold(told, faults);
            openAndClose(start, faults, image);
            assertThat(image.bytes(0, (int) image.size())).isEqualTo(start.image.bytes(0, (int) start.image.size()));
        }
    }

    /** Only a failed sync has an error of its own, since it is for ever. */
    private static void requireTold(@Nullable IOException told, Faults faults) {
        if (told instanceof HostIoException call) {
            assertThat(call.errno()).isEqualTo(faults.errno());
        } else {
            assertThat(told)
                    .isInstanceOf(Qcow2Exception.class)
                    .extracting("kind")
                    .isEqualTo(Kind.FLUSH_FAILED);
            assertThat(faults.syncFailed()).isTrue();
        }
    }

    private static void openAndClose(Start start, Faults faults, MemoryHostFile image) throws IOException {
        HostFile file = new FaultyFile(new TestDisk.KeptOpen(image), faults);
        TestDisk.open(file, start.data == null ? null : start.data.copy(), start.base.copy(), TestDisk.SMALL_CACHE)
                .close();
    }

    /** The refcount table of this image, of two slices, is full but for some 100 clusters. */
    @Test
    void refcounts_that_cannot_grow_now_grow_later_and_leak_nothing() throws IOException {
        ImageKind kind = new ImageKind(3, 9, 6, false);
        int reserved = 7780 * kind.clusterSize();
        int length = 256 * kind.clusterSize();
        MemoryHostFile full = kind.create(8 << 20);
        try (Disk disk = TestDisk.open(new TestDisk.KeptOpen(full), new MemoryHostFile("base.raw"))) {
            disk.allocate(0, reserved);
        }
        boolean failed = true;
        for (int call = 0; failed; call += LONG ? 1 : 5) {
            Faults faults = new Faults(call, 1, Faults.EIO);
            MemoryHostFile image = full.copy();
            HostFile file = new FaultyFile(new TestDisk.KeptOpen(image), faults);
            faults.suspend(true);
            try (NativeBuffer buffer = NativeBuffer.allocate(length);
                    Disk disk = TestDisk.open(file, null, new MemoryHostFile("base.raw"), NO_CACHE)) {
                Sectors.fill(buffer.address(), length, 7);
                faults.suspend(false);
                failed = !write(disk, reserved, buffer, faults);
                faults.suspend(true);
                assertThat(failed).isEqualTo(faults.failures() > 0);
                assertThat(write(disk, reserved, buffer, faults)).isTrue();
                disk.flush();
            } catch (IOException | AssertionError e) {
                throw new AssertionError(faults.toString(), e);
            }
            CheckedImage.requireClean(image, faults.toString());
            assertThat(HeaderReader.read(image).refcountTableOffset())
                    .isNotEqualTo(HeaderReader.read(full).refcountTableOffset());
        }
    }

    private static boolean write(Disk disk, long offset, NativeBuffer buffer, Faults faults) throws IOException {
        try {
            disk.write(offset, buffer.address(), buffer.size());
            return true;
        } catch (HostIoException e) {
            assertThat(e.errno()).isEqualTo(faults.errno());
            return false;
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
                throw new HostIoException(path(), call, Faults.ENOSPC, "no space");
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
                                e -> assertThat(e.errno()).isEqualTo(Faults.ENOSPC));
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

    /** A seeded history of operations with what each sector may hold, now and after a power loss. */
    private static final class History {

        private final Start start;
        private final Faults faults;
        private final PowerLossFile image;
        private final @Nullable PowerLossFile data;
        private final NativeBuffer buffer;
        private final Random random;
        private final Disk disk;
        private final int most;
        /** What a read of a sector may show. */
        private final List<Set<Long>> now = new ArrayList<>();
        /** What a sector may hold after a power loss. */
        private final List<Set<Long>> left = new ArrayList<>();
        /** The sizes that a power loss may leave. */
        private final Set<Long> sizes;

        private long lastId;

        History(Start start, long seed, Faults faults, NativeBuffer buffer) throws IOException {
            this.start = start;
            this.random = new Random(seed);
            this.faults = faults;
            this.buffer = buffer;
            this.image = new PowerLossFile(start.image);
            this.data = start.data == null ? null : new PowerLossFile(start.data, image);
            faults.suspend(true);
            HostFile guest = data == null ? null : new FaultyFile(data, faults);
            HostFile base = new FaultyFile(start.base.copy(), faults);
            this.disk = TestDisk.open(new FaultyFile(image, faults), guest, base, TestDisk.SMALL_CACHE);
            this.sizes = new HashSet<>(Set.of(disk.size()));
            this.most = (int) (disk.size() / SECTOR * 3 / 2);
            disk.read(0, buffer.address(), (int) disk.size());
            for (int i = 0; i < most; i++) {
                long id = i < disk.size() / SECTOR ? identity(i) : 0;
                now.add(new HashSet<>(Set.of(id)));
                left.add(new HashSet<>(Set.of(id)));
            }
            faults.suspend(false);
        }

        private long identity(int sector) {
            return Sectors.identity(buffer.address() + (long) sector * SECTOR);
        }

        void run(int operations) throws IOException {
            for (int i = 0; i < operations && disk.writable(); i++) {
                step();
            }
            check();
            if (disk.writable()) {
                flush();
            }
            if (disk.writable()) {
                check();
                close();
            } else {
                assertThatNothingIsWrittenAnyMore();
            }
        }

        private void close() throws IOException {
            if (attempt(disk::close)) {
                forgetWhatMayBeLost();
                if (faults.failures() <= 1) {
                    CheckedImage.requireClean(image.afterLossAt(image.moments(), 0));
                }
            }
            lookAtTheDisk();
        }

        private void step() throws IOException {
            int size = (int) (disk.size() / SECTOR);
            int first = random.nextInt(size);
            int count = 1 + random.nextInt(Math.min(size - first, random.nextInt(3) == 0 ? 200 : 20));
            switch (random.nextInt(12)) {
                case 0, 1, 2, 3 -> write(first, count);
                case 4, 5 -> zero(first, count, true);
                case 6 -> zero(first, count, false);
                case 7 -> attempt(() -> disk.allocate((long) first * SECTOR, (long) count * SECTOR));
                case 8 -> resize(size);
                case 9 -> read(first, count);
                default -> flush();
            }
        }

        private void read(int first, int count) throws IOException {
            if (attempt(() -> disk.read((long) first * SECTOR, buffer.address(), count * SECTOR))) {
                requirePossible(first, count, now);
            }
            attempt(() -> requireHolesEmpty((long) first * SECTOR, (long) count * SECTOR));
            attempt(disk::allocatedBytes);
        }

        private void requireHolesEmpty(long offset, long length) throws IOException {
            for (long at = offset; at < offset + length; ) {
                Extent extent = disk.nextExtent(at);
                for (long i = at; extent.isHole() && i < Math.min(extent.end(), offset + length); i += SECTOR) {
                    assertThat(now.get((int) (i / SECTOR))).as("a hole").contains(0L);
                }
                at = extent.end();
            }
        }

        private void write(int first, int count) throws IOException {
            long ids = lastId + 1;
            for (int i = 0; i < count; i++) {
                Sectors.fill(buffer.address() + (long) i * SECTOR, SECTOR, ++lastId);
            }
            boolean done = attempt(() -> disk.write((long) first * SECTOR, buffer.address(), count * SECTOR));
            for (int i = 0; i < count; i++) {
                note(first + i, ids + i, done);
            }
            lookAfter(done);
        }

        private void zero(int first, int count, boolean unmap) throws IOException {
            boolean done = attempt(() -> disk.writeZeroes((long) first * SECTOR, (long) count * SECTOR, unmap));
            for (int i = 0; i < count; i++) {
                note(first + i, 0, done);
            }
            lookAfter(done);
        }

        private void note(int sector, long id, boolean done) {
            if (done) {
                now.get(sector).clear();
            }
            now.get(sector).add(id);
            left.get(sector).add(id);
        }

        private void resize(int from) throws IOException {
            int to = 100 + random.nextInt(most - 100);
            for (int i = from; i < to; i++) {
                now.set(i, new HashSet<>(Set.of(0L)));
                left.set(i, new HashSet<>(Set.of(0L)));
            }
            boolean done = attempt(() -> disk.resize((long) to * SECTOR));
            assertThat(disk.size() / SECTOR).isIn((long) to, done ? (long) to : (long) from);
            if (disk.size() == (long) to * SECTOR) {
                sizes.clear();
            }
            sizes.add((long) to * SECTOR);
            lookAfter(done);
        }

        private void flush() throws IOException {
            boolean done = attempt(disk::flush);
            if (done) {
                forgetWhatMayBeLost();
            }
            lookAfter(done);
        }

        private void forgetWhatMayBeLost() {
            for (int i = 0; i < most; i++) {
                left.get(i).clear();
                left.get(i).addAll(now.get(i));
            }
            sizes.clear();
            sizes.add(disk.size());
        }

        /** Whether an operation succeeded; it fails exactly where a call of it does. */
        private boolean attempt(Operation operation) throws IOException {
            try {
                operation.run();
                assertThat(faults.untold())
                        .as("a fault that was told to nobody")
                        .isNull();
                return true;
            } catch (IOException e) {
                if (faults.untold() == null) {
                    throw e;
                }
                requireTold(e, faults);
                faults.tell();
                return false;
            }
        }

        private interface Operation {
            void run() throws IOException;
        }

        private void lookAfter(boolean done) throws IOException {
            if (!done) {
                lookAtTheDisk();
            }
        }

        /** What the power would leave at this moment. */
        private void lookAtTheDisk() throws IOException {
            for (long loss = 0; loss < 4; loss++) {
                MemoryHostFile lost = image.afterLossAt(image.moments(), loss);
                MemoryHostFile lostData = data == null ? null : data.afterLossAt(data.moments(), loss);
                CheckedImage.requireLeaksAtWorst(lost, "after a power loss");
                try (Disk after = TestDisk.open(lost, lostData, start.base.copy(), TestDisk.SMALL_CACHE)) {
                    assertThat(sizes).contains(after.size());
                    checkAll(after, left);
                }
            }
        }

        private void check() throws IOException {
            faults.suspend(true);
            checkAll(disk, now);
            faults.suspend(false);
        }

        private void checkAll(Disk looked, List<Set<Long>> possible) throws IOException {
            looked.read(0, buffer.address(), (int) looked.size());
            requirePossible(0, (int) looked.size() / SECTOR, possible);
        }

        private void requirePossible(int first, int count, List<Set<Long>> possible) {
            for (int i = 0; i < count; i++) {
                if (!possible.get(first + i).contains(identity(i))) {
                    assertThat(identity(i)).as("sector %d", first + i).isIn(possible.get(first + i));
                }
            }
        }

        private void assertThatNothingIsWrittenAnyMore() throws IOException {
            assertThat(faults.syncFailed()).isTrue();
            int moments = image.moments();
            refused(disk::flush);
            refused(() -> disk.write(0, buffer.address(), SECTOR));
            refused(() -> disk.writeZeroes(0, SECTOR, true));
            refused(() -> disk.resize(SECTOR));
            check();
            refused(disk::close);
            assertThat(image.moments()).isEqualTo(moments);
            lookAtTheDisk();
        }

        private static void refused(Operation operation) {
            assertThatThrownBy(operation::run)
                    .isInstanceOfSatisfying(
                            Qcow2Exception.class, e -> assertThat(e.kind()).isEqualTo(Kind.FLUSH_FAILED));
        }
    }
}
