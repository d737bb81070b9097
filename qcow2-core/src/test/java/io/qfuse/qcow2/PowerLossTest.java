package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.SmallImage.Trait;
import io.qfuse.qcow2.check.ImageRepair;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.PowerLossFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a power loss at any moment leaves: leaks at worst, and every flushed byte. */
final class PowerLossTest {

    private static final int OPERATIONS = 40;
    private static final int STATES = 50;
    private static final int SEEDS = Boolean.getBoolean("qfuse.long") ? 20 : 1;
    private static final int SIZE = 1 << 20;

    static List<ImageKind> kinds() {
        return ImageKind.all().stream()
                .filter(kind -> kind.clusterBits() < 20
                        && (kind.refcountOrder() % 3 != 1
                                || kind.version() == 2
                                || kind.extendedL2()
                                || kind.data() != ImageKind.Data.INSIDE))
                .toList();
    }

    static List<SmallImage> starts() throws IOException {
        List<SmallImage> starts = new ArrayList<>();
        for (ImageKind kind : kinds()) {
            starts.add(start(kind));
        }
        for (int clusterBits : new int[] {9, 12, 16}) {
            starts.add(start(new ImageKind(2, clusterBits, 4, true), Trait.COMPRESSED));
            starts.add(start(new ImageKind(3, clusterBits, 4, false), Trait.SNAPSHOT));
            starts.add(start(new ImageKind(3, clusterBits, 3, true), Trait.COMPRESSED, Trait.SNAPSHOT));
            starts.add(start(new ImageKind(3, clusterBits, 4, false), Trait.DIRTY));
        }
        starts.add(start(new ImageKind(3, 14, 4, true, true), Trait.SNAPSHOT));
        starts.add(new SmallImage(new ImageKind(3, 9, 6, false), 4200, Trait.FULL_TABLE));
        return starts;
    }

    private static SmallImage start(ImageKind kind, Trait... traits) throws IOException {
        return new SmallImage(kind, SIZE / kind.clusterSize(), traits);
    }

    @ParameterizedTest
    @MethodSource("starts")
    void a_power_loss_at_any_moment_leaves_leaks_at_worst_and_all_that_was_flushed(SmallImage start)
            throws IOException {
        for (long seed = 1; seed <= SEEDS; seed++) {
            History history = new History(start, seed, false);
            Random random = new Random(seed);
            for (int i = 0; i < OPERATIONS; i++) {
                history.step(random);
            }
            history.close();
            for (int i = 0; i < STATES; i++) {
                history.verify(random.nextInt(history.file.moments() + 1), i < 2 ? i : random.nextLong());
            }
        }
    }

    static List<ImageKind> kindsWithoutABarrier() {
        return List.of(new ImageKind(3, 12, 4, false), new ImageKind(3, 12, 4, false, false, ImageKind.Data.EXTERNAL));
    }

    @ParameterizedTest
    @MethodSource("kindsWithoutABarrier")
    void the_test_sees_a_barrier_that_is_left_out(ImageKind kind) {
        int seen = 0;
        for (long seed = 1; seed <= 4; seed++) {
            try {
                History history = new History(start(kind), seed, true);
                Random random = new Random(seed);
                for (int i = 0; i < OPERATIONS; i++) {
                    history.step(random);
                }
                for (int i = 0; i < STATES; i++) {
                    history.verify(random.nextInt(history.file.moments() + 1), random.nextLong());
                }
            } catch (AssertionError | IOException e) {
                seen++;
            }
        }
        assertThat(seen).isPositive();
    }

    /** A disk's operations, with every content that each sector has had and when. */
    private static final class History {

        /** From {@code moment} on a sector may hold the eight bytes {@code id}, repeated. */
        private record Version(int operation, int moment, long id) {}

        /** All that was done before {@code operation} is durable from {@code moment} on. */
        private record Flush(int operation, int moment) {}

        /** The disk had {@code sectors} at {@code end} for sure, and may have had them from {@code begin} on. */
        private record Resize(int operation, int begin, int end, int sectors) {}

        private final SmallImage start;
        private final long seed;
        private final PowerLossFile file;
        private final @Nullable PowerLossFile data;
        private final Disk disk;
        private final List<List<Version>> sectors = new ArrayList<>();
        private final List<Flush> flushes = new ArrayList<>();
        private final List<Resize> resizes = new ArrayList<>();
        private final NativeBuffer buffer;
        private long lastId = 1L << 32;
        private int operation;

        History(SmallImage start, long seed, boolean withoutBarriers) throws IOException {
            this.start = start;
            this.seed = seed;
            LongBuffer words = ByteBuffer.wrap(start.content()).asLongBuffer();
            int size = words.capacity() / 64;
            for (int i = 0; i < size; i++) {
                sectors.add(new ArrayList<>(List.of(new Version(0, 0, words.get(64 * i)))));
            }
            resizes.add(new Resize(0, 0, 0, size));
            this.buffer = NativeBuffer.allocate(2 * 512 * size);
            this.file = new PowerLossFile(start.image());
            MemoryHostFile before = start.data();
            this.data = before == null ? null : new PowerLossFile(before, file);
            HostFile guest = data == null || !withoutBarriers ? data : new Unsafe(data);
            HostFile image = data == null && withoutBarriers ? new Unsafe(file) : file;
            ImageRepair.ifDirty(image, HeaderReader.read(image));
            this.disk = TestDisk.open(image, guest, start.base(), TestDisk.SMALL_CACHE);
        }

        private static byte[] filled(long id) {
            byte[] bytes = new byte[512];
            LongBuffer longs = ByteBuffer.wrap(bytes).asLongBuffer();
            while (longs.hasRemaining()) {
                longs.put(id);
            }
            return bytes;
        }

        void step(Random random) throws IOException {
            operation++;
            int now = (int) (disk.size() / 512);
            int first = random.nextInt(now);
            int count = 1 + random.nextInt(Math.min(now - first, random.nextInt(4) == 0 ? 300 : 12));
            switch (random.nextInt(10)) {
                case 0, 1, 2, 3 -> write(first, count);
                case 4 -> zero(first, count, true);
                case 5 -> zero(first, count, false);
                case 6 -> disk.allocate(512L * first, 512L * count);
                case 7 -> resize(now, SIZE / 1024 + random.nextInt(3 * SIZE / 1024));
                default -> flush();
            }
        }

        private void write(int first, int count) throws IOException {
            int moment = file.moments();
            for (int i = 0; i < count; i++) {
                long id = ++lastId;
                NativeBuffer.put(buffer.address() + 512L * i, filled(id), 0, 512);
                sectors.get(first + i).add(new Version(operation, moment, id));
            }
            disk.write(512L * first, buffer.address(), 512 * count);
        }

        private void zero(int first, int count, boolean unmap) throws IOException {
            for (int i = 0; i < count; i++) {
                sectors.get(first + i).add(new Version(operation, file.moments(), 0));
            }
            disk.writeZeroes(512L * first, 512L * count, unmap);
        }

        private void resize(int from, int to) throws IOException {
            int begin = file.moments();
            for (int sector = from; sector < to; sector++) {
                if (sector == sectors.size()) {
                    sectors.add(new ArrayList<>());
                }
                sectors.get(sector).add(new Version(operation, begin, 0));
            }
            disk.resize(512L * to);
            resizes.add(new Resize(operation, begin, file.moments(), to));
            if (to > from) {
                flushes.add(new Flush(operation, file.moments()));
            }
        }

        private void flush() throws IOException {
            disk.flush();
            flushes.add(new Flush(operation, file.moments()));
        }

        void close() throws IOException {
            operation++;
            disk.close();
            flushes.add(new Flush(operation, file.moments()));
        }

        /** Looks at what the power may have left at a moment. */
        void verify(int moment, long lossSeed) throws IOException {
            String what = start + ", seed " + seed + ", power lost at " + moment + " with seed " + lossSeed;
            MemoryHostFile left = file.afterLossAt(moment, lossSeed);
            ImageRepair.ifDirty(left, HeaderReader.read(left));
            CheckedImage.requireLeaksAtWorst(left, what);
            int durable = 0;
            for (Flush flush : flushes) {
                durable = flush.moment <= moment ? flush.operation : durable;
            }
            MemoryHostFile leftData = data == null ? null : data.afterLossAt(moment, lossSeed);
            try (Disk after = TestDisk.open(left, leftData, start.base(), TestDisk.SMALL_CACHE)) {
                int there = (int) (after.size() / 512);
                Resize resize = resizeTo(there, moment, what);
                if (resize.begin <= moment && moment < resize.end && isGrowth(resize)) {
                    durable = resize.operation; // the size tells that the new range is zero
                }
                LongBuffer longs = ByteBuffer.wrap(TestDisk.read(after, 0, 512 * there, buffer))
                        .asLongBuffer();
                for (int sector = 0; sector < there; sector++) {
                    verify(sector, longs.slice(64 * sector, 64), durable, moment, what);
                }
                if (start.has(Trait.SNAPSHOT)) {
                    Disk snapshot = ((Qcow2Image) after).snapshots().get(0).disk();
                    assertThat(TestDisk.read(snapshot, 0, (int) snapshot.size(), buffer))
                            .as("%s, its snapshot", what)
                            .isEqualTo(start.content());
                }
            }
        }

        /** The resize that left a disk of this size, which must be the last one before a moment or one under way then. */
        private Resize resizeTo(int there, int moment, String what) {
            Resize last = resizes.get(0);
            for (Resize resize : resizes) {
                last = resize.end <= moment ? resize : last;
            }
            for (Resize resize : resizes.subList(resizes.indexOf(last), resizes.size())) {
                if (resize.begin <= moment && resize.sectors == there) {
                    return resize;
                }
            }
            throw new AssertionError(what + ": the disk has " + there + " sectors, after " + last);
        }

        private boolean isGrowth(Resize resize) {
            int index = resizes.indexOf(resize);
            return index > 0 && resizes.get(index - 1).sectors < resize.sectors;
        }

        private void verify(int sector, LongBuffer content, int durable, int moment, String what) {
            List<Long> possible = new ArrayList<>();
            for (Version version : sectors.get(sector)) {
                if (version.operation <= durable) {
                    possible.clear();
                }
                if (version.moment <= moment) {
                    possible.add(version.id);
                }
            }
            for (int i = 0; i < 64; i++) {
                assertThat(content.get(i)).as("%s, sector %d", what, sector).isEqualTo(content.get(0));
            }
            assertThat(possible).as("%s, sector %d", what, sector).contains(content.get(0));
        }
    }

    /** Leaves out every second barrier. */
    private static final class Unsafe extends ForwardingFile {

        private final PowerLossFile file;
        private int barriers;

        Unsafe(PowerLossFile file) {
            super(file);
            this.file = file;
        }

        @Override
        public void sync() {
            if (barriers++ % 2 == 0) {
                file.sync();
            }
        }
    }
}
