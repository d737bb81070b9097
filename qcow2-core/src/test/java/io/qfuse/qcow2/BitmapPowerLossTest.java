package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.io.HostIoException;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.Faults;
import io.qfuse.qcow2.testing.FaultyFile;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.ImageBitmaps;
import io.qfuse.qcow2.testing.ImageBitmaps.Bitmap;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.PowerLossFile;
import java.io.IOException;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a power loss, or a host that fails, leaves of bitmaps: each is right or marked, and the image has leaks at worst. */
final class BitmapPowerLossTest {

    private static final int SIZE = 256 << 10;
    private static final int OPERATIONS = 8;
    private static final int STATES = 60;
    private static final int SEEDS = Boolean.getBoolean("qfuse.long") ? 40 : 2;
    private static final int SECTOR = 512;
    private static final int WRITTEN = 40 << 10;

    private final NativeBuffer buffer = NativeBuffer.allocate(1 << 20);

    @AfterEach
    void free() {
        buffer.close();
    }

    static List<ImageKind> kinds() {
        return List.of(
                new ImageKind(3, 9, 4, false),
                new ImageKind(3, 9, 0, true),
                new ImageKind(3, 12, 6, true),
                new ImageKind(3, 14, 4, false, true),
                new ImageKind(3, 16, 4, true));
    }

    /** An image's content and its bitmaps. */
    @SuppressWarnings("ArrayRecordComponent") // compared by nobody
    private record State(byte[] content, List<Bitmap> bitmaps) {

        boolean hasContent(byte[] other) {
            return Arrays.equals(content, other);
        }
    }

    private State state(MemoryHostFile file) throws IOException {
        List<Bitmap> bitmaps = ImageBitmaps.read(file);
        try (Disk disk = TestDisk.open(file.copy(), base())) {
            return new State(TestDisk.read(disk, 0, (int) disk.size(), buffer), bitmaps);
        }
    }

    private static MemoryHostFile base() {
        MemoryHostFile base = new MemoryHostFile("base.raw");
        byte[] bytes = TestDisk.baseBytes(SIZE);
        base.write(0, bytes, 0, bytes.length);
        return base;
    }

    /** An image that has some clusters to write in place. */
    private MemoryHostFile image(ImageKind kind, Random random) throws IOException {
        MemoryHostFile file = kind.create(SIZE);
        try (Disk disk = TestDisk.open(new Kept(file), base())) {
            disk.write(0, buffer.address(), WRITTEN);
        }
        ImageBitmaps.put(
                file,
                List.of(
                        Bitmap.of("fine", ImageBitmaps.AUTO, 9).withBits(bits(SIZE >> 9, random)),
                        Bitmap.of("nine bytes", ImageBitmaps.AUTO, 12),
                        Bitmap.of("disabled", 0, 9).withBits(bits(SIZE >> 9, random)),
                        Bitmap.of("crashed", ImageBitmaps.AUTO | ImageBitmaps.IN_USE, 16)));
        return file;
    }

    private static BitSet bits(int count, Random random) {
        BitSet bits = new BitSet();
        bits.set(count / 2, count / 2 + random.nextInt(count / 3));
        return bits;
    }

    /**
     * An image of small clusters, where a table moves when the disk grows. Its entry lies in two sectors of the directory:
     * the table's offset in one, size and flags in the other.
     */
    private static MemoryHostFile resizable(ImageKind kind, Random random) throws IOException {
        MemoryHostFile file = kind.create(SIZE);
        ImageBitmaps.put(
                file,
                List.of(
                        Bitmap.of("disabled", ImageBitmaps.EXTRA_DATA_COMPATIBLE, 1)
                                .withExtra("x".repeat(SECTOR - Long.BYTES - 24 - "disabled".length()))
                                .withBits(bits(SIZE >> 1, random)),
                        Bitmap.of("moves", ImageBitmaps.AUTO, 0).withBits(bits(SIZE, random))));
        return file;
    }

    private void use(Disk disk, Random random, boolean resizing) throws IOException {
        byte[] first = new byte[3000];
        random.nextBytes(first);
        NativeBuffer.put(buffer.address(), first, 0, first.length);
        disk.write(random.nextInt(WRITTEN - first.length), buffer.address(), first.length);
        for (int i = 0; i < OPERATIONS; i++) {
            int length = 1 + random.nextInt(20_000);
            long offset = random.nextInt((int) disk.size() - length);
            byte[] bytes = new byte[length];
            random.nextBytes(bytes);
            NativeBuffer.put(buffer.address(), bytes, 0, length);
            switch (random.nextInt(6)) {
                case 0 -> disk.writeZeroes(offset, length, random.nextBoolean());
                case 1 -> disk.flush();
                case 2 -> {
                    if (resizing) {
                        disk.resize(512L * (200 + random.nextInt(1500)));
                    }
                }
                default -> disk.write(offset, buffer.address(), length);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void after_a_power_loss_each_bitmap_is_right_or_marked_in_use(ImageKind kind) throws IOException {
        for (long seed = 1; seed <= SEEDS; seed++) {
            lose(kind, seed, image(kind, new Random(seed)), false);
        }
    }

    @Test
    void a_power_loss_around_a_new_size_leaves_each_bitmap_right_or_marked_in_use() throws IOException {
        ImageKind kind = new ImageKind(3, 9, 4, false);
        for (long seed = 1; seed <= 3L * SEEDS; seed++) {
            lose(kind, seed, resizable(kind, new Random(seed)), true);
        }
    }

    private void lose(ImageKind kind, long seed, MemoryHostFile image, boolean resizing) throws IOException {
        Random random = new Random(seed);
        State before = state(image);
        PowerLossFile file = new PowerLossFile(image);
        int closing;
        try (Disk disk = TestDisk.open(file, base())) {
            use(disk, random, resizing);
            closing = file.moments();
        }
        State after = state(file.afterLossAt(file.moments(), 0));
        for (int i = 0; i < STATES; i++) {
            int from = i % 3 == 0 ? 0 : closing;
            int end = i % 3 == 0 && i % 2 == 0 ? Math.min(5, closing) : file.moments();
            int moment = from + random.nextInt(end - from + 1);
            long loss = i < 2 ? i : random.nextLong();
            String what = kind + ", seed " + seed + ", power lost at " + moment + " with seed " + loss;
            MemoryHostFile left = file.afterLossAt(moment, loss);
            CheckedImage.requireLeaksAtWorst(left, what);
            requireRightOrMarked(state(left), before, after, what);
        }
        assertThat(after.bitmaps)
                .filteredOn(bitmap -> !bitmap.name().equals("crashed"))
                .as("kind %s, seed %d, after the close", kind, seed)
                .noneMatch(BitmapPowerLossTest::isMarked);
    }

    private static boolean isMarked(Bitmap bitmap) {
        return (bitmap.flags() & ImageBitmaps.IN_USE) != 0;
    }

    private static void requireRightOrMarked(State left, State before, State after, String what) {
        assertThat(left.bitmaps).as(what).hasSameSizeAs(before.bitmaps);
        for (int i = 0; i < left.bitmaps.size(); i++) {
            Bitmap bitmap = left.bitmaps.get(i);
            boolean records = (bitmap.flags() & ImageBitmaps.AUTO) != 0;
            boolean asBefore = bitmap.equals(before.bitmaps.get(i)) && (!records || before.hasContent(left.content));
            boolean asAfter = bitmap.equals(after.bitmaps.get(i)) && (!records || after.hasContent(left.content));
            assertThat(isMarked(bitmap) || asBefore || asAfter)
                    .as("%s: %s", what, bitmap)
                    .isTrue();
        }
    }

    /** A file that outlives its disk. */
    private static final class Kept extends ForwardingFile {

        Kept(MemoryHostFile to) {
            super(to);
        }

        @Override
        public void close() {}
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void any_call_that_fails_at_the_first_change_is_told_and_costs_no_bitmap(ImageKind kind) throws IOException {
        MemoryHostFile fresh = image(kind, new Random(1));
        State before = state(fresh);
        Faults none = new Faults(0, 0, Faults.EIO);
        writeAndClose(fresh.copy(), none);
        assertThat(none.calls()).isGreaterThan(5);
        for (int call = 0; call < none.calls(); call++) {
            for (int errno : new int[] {Faults.EIO, Faults.ENOSPC}) {
                Faults faults = new Faults(call, 1, errno);
                MemoryHostFile image = fresh.copy();
                boolean written = writeAndClose(image, faults);
                CheckedImage.requireClean(image, faults.toString());
                State left = state(image);
                assertThat(written || faults.syncFailed()).as(faults.toString()).isTrue();
                requireRight(left, before, faults.syncFailed(), kind + ", " + faults);
            }
        }
    }

    /** The first change, once more where it fails, and a close without faults; whether it was made in the end. */
    private boolean writeAndClose(MemoryHostFile image, Faults faults) throws IOException {
        faults.suspend(true);
        Disk disk = TestDisk.open(new FaultyFile(new Kept(image), faults), base());
        faults.suspend(false);
        int errno = faults.errno();
        boolean written = false;
        for (int i = 0; i < 2 && !written; i++) {
            try {
                disk.write(WRITTEN / 2, buffer.address(), SECTOR);
                written = true;
                assertThat(i).isEqualTo(faults.failures());
            } catch (HostIoException e) {
                assertThat(e.errno()).isEqualTo(errno);
            } catch (Qcow2Exception e) {
                assertThat(e.kind()).isEqualTo(Qcow2Exception.Kind.FLUSH_FAILED);
            }
        }
        faults.suspend(true);
        try {
            disk.close();
        } catch (Qcow2Exception e) {
            assertThat(faults.syncFailed()).isTrue();
        }
        return written;
    }

    /** Each bitmap records what has changed; none is marked but one that was, and those that record where a sync has failed. */
    private static void requireRight(State left, State before, boolean syncFailed, String what) {
        for (int i = 0; i < left.bitmaps.size(); i++) {
            Bitmap bitmap = left.bitmaps.get(i);
            Bitmap old = before.bitmaps.get(i);
            boolean records = (old.flags() & ImageBitmaps.AUTO) != 0;
            assertThat(isMarked(bitmap)).as(what).isEqualTo(isMarked(old) || (records && syncFailed));
            assertThat(isMarked(bitmap) || covers(bitmap, old, before.content, left.content))
                    .as(what)
                    .isTrue();
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void any_call_that_fails_at_the_close_leaves_each_bitmap_right_or_marked_in_use(ImageKind kind) throws IOException {
        for (int errno : new int[] {Faults.EIO, Faults.ENOSPC}) {
            boolean failed = true;
            for (int call = 0; failed; call++) {
                Faults faults = new Faults(call, 1, errno);
                failAtTheClose(kind, faults);
                failed = faults.failures() > 0;
            }
        }
    }

    private void failAtTheClose(ImageKind kind, Faults faults) throws IOException {
        MemoryHostFile image = image(kind, new Random(1));
        State before = state(image);
        faults.suspend(true);
        Disk disk = TestDisk.open(new FaultyFile(new Kept(image), faults), base());
        use(disk, new Random(2), false);
        byte[] content = TestDisk.read(disk, 0, SIZE, buffer);
        faults.suspend(false);
        boolean told = false;
        try {
            disk.close();
        } catch (IOException e) {
            told = true;
        }
        String what = kind + ", at the close " + faults;
        CheckedImage.requireLeaksAtWorst(image, what);
        State left = state(image);
        if (!told) {
            assertThat(left.content).as(what).isEqualTo(content);
        }
        for (int i = 0; i < 2; i++) {
            Bitmap bitmap = left.bitmaps.get(i);
            Bitmap old = before.bitmaps.get(i);
            assertThat(isMarked(bitmap) || covers(bitmap, old, before.content, left.content))
                    .as(what)
                    .isTrue();
        }
        assertThat(left.bitmaps.subList(2, 4)).isEqualTo(before.bitmaps.subList(2, 4));
    }

    /** Whether a bitmap has what it had, and each granule whose bytes have changed. */
    private static boolean covers(Bitmap bitmap, Bitmap old, byte[] before, byte[] now) {
        BitSet needed = (BitSet) old.bits().clone();
        for (int i = 0; i < now.length; i++) {
            if (before[i] != now[i]) {
                needed.set(i >> bitmap.granularityBits());
            }
        }
        needed.andNot(bitmap.bits());
        return needed.isEmpty();
    }

    @Test
    void a_full_host_at_the_close_costs_only_the_bitmap_that_needs_room() throws IOException {
        MemoryHostFile image = new ImageKind(3, 12, 4, false).create(SIZE);
        BitSet one = new BitSet();
        one.set(0);
        ImageBitmaps.put(
                image,
                List.of(
                        Bitmap.of("needs a cluster", ImageBitmaps.AUTO, 12),
                        Bitmap.of("has one", ImageBitmaps.AUTO, 12).withBits(one)));
        FullFile file = new FullFile(image);
        try (Disk disk = TestDisk.open(file, base())) {
            disk.write(100_000, buffer.address(), 5_000);
            disk.flush();
            file.room = image.size();
        }
        CheckedImage.requireClean(image);
        List<Bitmap> after = ImageBitmaps.read(image);
        assertThat(isMarked(after.get(0))).isTrue();
        one.set(100_000 >> 12, (105_000 >> 12) + 1);
        assertThat(after.get(1))
                .isEqualTo(Bitmap.of("has one", ImageBitmaps.AUTO, 12).withBits(one));
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

        @Override
        public void close() {}
    }
}
