package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.ImageBitmaps;
import io.qfuse.qcow2.testing.ImageBitmaps.Bitmap;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.RecordingFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Persistent bitmaps through writes, zeroes, discards and resizes: right after a clean close, or never trusted. */
final class PersistentBitmapsTest {

    private static final int SIZE = 2 << 20;
    private static final int MOST = 3 << 20;
    private static final int SEEDS = Boolean.getBoolean("qfuse.long") ? 20 : 1;
    private static final ImageKind PLAIN = new ImageKind(3, 12, 4, false);

    private final NativeBuffer buffer = NativeBuffer.allocate(1 << 20);

    @AfterEach
    void free() {
        buffer.close();
    }

    static List<ImageKind> kinds() {
        return ImageKind.matrix().stream().filter(kind -> kind.version() == 3).toList();
    }

    static BitSet random(int bits, Random random) {
        BitSet set = new BitSet();
        for (int i = 0; i < bits; i += 1 + random.nextInt(5)) {
            set.set(i, Math.min(bits, i + random.nextInt(3)));
        }
        return set;
    }

    /** What the bitmaps must hold, told of the same changes. */
    private record Model(List<Bitmap> bitmaps) {

        void changed(long offset, long length) {
            for (Bitmap bitmap : bitmaps) {
                if ((bitmap.flags() & (ImageBitmaps.AUTO | ImageBitmaps.IN_USE)) == ImageBitmaps.AUTO) {
                    int shift = bitmap.granularityBits();
                    bitmap.bits().set((int) (offset >> shift), (int) ((offset + length - 1) >> shift) + 1);
                }
            }
        }

        void resize(long size) {
            for (Bitmap bitmap : bitmaps) {
                int granules = (int) ((size + (1L << bitmap.granularityBits()) - 1) >> bitmap.granularityBits());
                bitmap.bits().clear(granules, Math.max(granules, bitmap.bits().length()));
            }
        }
    }

    private static Model model(Random random) {
        List<Bitmap> bitmaps = new ArrayList<>();
        bitmaps.add(Bitmap.of("first", ImageBitmaps.AUTO, 16).withBits(random(SIZE >> 16, random)));
        bitmaps.add(Bitmap.of("einigermaßen 漢字 🙂", ImageBitmaps.AUTO, 9).withBits(random(SIZE >> 9, random)));
        bitmaps.add(Bitmap.of("disabled", 0, 12).withBits(random(SIZE >> 12, random)));
        bitmaps.add(Bitmap.of("extra", ImageBitmaps.AUTO | ImageBitmaps.EXTRA_DATA_COMPATIBLE, 21)
                .withExtra("nobody knows this"));
        return new Model(bitmaps);
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void any_changes_are_in_the_bitmaps_after_a_clean_close(ImageKind kind) throws IOException {
        for (long seed = 1; seed <= SEEDS; seed++) {
            Random random = new Random(seed);
            MemoryHostFile file = kind.create(SIZE);
            Model model = model(random);
            ImageBitmaps.put(file, model.bitmaps);
            CheckedImage.requireClean(file);
            for (int mount = 0; mount < 4; mount++) {
                String what = kind + ", seed " + seed + ", mount " + mount;
                try (Disk disk = TestDisk.open(new Kept(file), new MemoryHostFile("base.raw"))) {
                    for (int i = random.nextInt(15); i > 0; i--) {
                        step(disk, random, model);
                    }
                }
                assertThat(ImageBitmaps.read(file)).as(what).isEqualTo(model.bitmaps);
                CheckedImage.requireClean(file);
            }
        }
    }

    private void step(Disk disk, Random random, Model model) throws IOException {
        int length = 1 + random.nextInt(random.nextInt(4) == 0 ? 500_000 : 6_000);
        long offset = (long) (random.nextDouble() * (disk.size() - length));
        switch (random.nextInt(8)) {
            case 0, 1, 2 -> {
                disk.write(offset, buffer.address(), length);
                model.changed(offset, length);
            }
            case 3 -> {
                disk.writeZeroes(offset, length, true);
                model.changed(offset, length);
            }
            case 4 -> {
                disk.writeZeroes(offset, length, false);
                model.changed(offset, length);
            }
            case 5 -> disk.allocate(offset, length);
            case 6 -> disk.flush();
            default -> {
                int size = 512 * (1100 + random.nextInt(MOST / 512 - 1100));
                disk.resize(size);
                model.resize(size);
            }
        }
    }

    /** A file that outlives its disk. */
    private static class Kept extends ForwardingFile {

        Kept(MemoryHostFile to) {
            super(to);
        }

        @Override
        public void close() {}
    }

    private static MemoryHostFile image(Bitmap... bitmaps) throws IOException {
        MemoryHostFile file = PLAIN.create(SIZE);
        ImageBitmaps.put(file, List.of(bitmaps));
        return file;
    }

    private static Disk open(MemoryHostFile file) throws IOException {
        return TestDisk.open(new Kept(file), new MemoryHostFile("base.raw"));
    }

    private void write(MemoryHostFile file) throws IOException {
        try (Disk disk = open(file)) {
            disk.write(100_000, buffer.address(), 5_000);
        }
        CheckedImage.requireClean(file);
    }

    @Test
    void a_mount_that_writes_nothing_changes_no_byte() throws IOException {
        MemoryHostFile file = image(Bitmap.of("kept", ImageBitmaps.AUTO, 16));
        byte[] before = file.bytes(0, (int) file.size());
        try (Disk disk = open(file)) {
            disk.read(0, buffer.address(), 100_000);
            disk.flush();
        }
        assertThat(file.bytes(0, (int) file.size())).isEqualTo(before);
    }

    @Test
    void in_use_is_durable_before_anything_else_is_written() throws IOException {
        MemoryHostFile file = image(Bitmap.of("kept", ImageBitmaps.AUTO, 16));
        RecordingFile calls = new RecordingFile(file);
        try (Disk disk = TestDisk.open(calls, new MemoryHostFile("base.raw"))) {
            disk.write(0, buffer.address(), 512);
            assertThat(calls.calls().subList(0, 2))
                    .containsExactly(
                            new RecordingFile.Call("write", ImageBitmaps.directory(file) + 12, 4),
                            new RecordingFile.Call("sync", 0, 0));
            assertThat(ImageBitmaps.read(file).get(0).flags()).isEqualTo(ImageBitmaps.AUTO | ImageBitmaps.IN_USE);
            calls.take();
            disk.write(1_000_000, buffer.address(), 512);
            long directory = ImageBitmaps.directory(file);
            assertThat(calls.calls()).noneMatch(call -> call.touches(directory, 512));
        }
    }

    @Test
    void a_bitmap_found_in_use_stays_so_to_the_last_byte() throws IOException {
        MemoryHostFile file = image(
                Bitmap.of("crashed", ImageBitmaps.AUTO | ImageBitmaps.IN_USE, 16),
                Bitmap.of("kept", ImageBitmaps.AUTO, 16));
        Bitmap before = ImageBitmaps.read(file).get(0);
        write(file);
        List<Bitmap> after = ImageBitmaps.read(file);
        assertThat(after.get(0)).isEqualTo(before);
        BitSet dirty = new BitSet();
        dirty.set(1);
        assertThat(after.get(1).bits()).isEqualTo(dirty);
    }

    @Test
    void a_disabled_bitmap_is_valid_and_unchanged_after_writes() throws IOException {
        MemoryHostFile file = image(Bitmap.of("disabled", 0, 16).withBits(random(32, new Random(1))));
        byte[] directory = file.bytes(ImageBitmaps.directory(file), 64);
        write(file);
        assertThat(file.bytes(ImageBitmaps.directory(file), 64)).isEqualTo(directory);
        assertThat(HeaderReader.read(file).autoclear()).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(ints = {ImageBitmaps.AUTO | 8, 1 << 31, ImageBitmaps.AUTO | 1 << 16})
    void a_bitmap_with_unknown_flags_is_marked_in_use_and_its_flags_stay(int flags) throws IOException {
        MemoryHostFile file = image(Bitmap.of("strange", flags, 16), Bitmap.of("kept", ImageBitmaps.AUTO, 16));
        write(file);
        assertThat(ImageBitmaps.read(file).get(0).flags()).isEqualTo(flags | ImageBitmaps.IN_USE);
        assertThat(ImageBitmaps.read(file).get(1).flags()).isEqualTo(ImageBitmaps.AUTO);
    }

    @Test
    void a_bitmap_with_extra_data_that_must_be_known_is_marked_in_use() throws IOException {
        MemoryHostFile file = image(Bitmap.of("extra", ImageBitmaps.AUTO, 16).withExtra("needed"));
        write(file);
        Bitmap after = ImageBitmaps.read(file).get(0);
        assertThat(after.flags()).isEqualTo(ImageBitmaps.AUTO | ImageBitmaps.IN_USE);
        assertThat(after.extra()).isEqualTo("needed");
    }

    /** Fields of the directory's first entry, and what makes its bitmap unusable. */
    static List<long[]> damages() {
        return List.of(
                new long[] {0, 0x1234},
                new long[] {0, 0},
                new long[] {0, 1L << 40},
                new long[] {0, -4096},
                new long[] {8, (2L << 32) | ImageBitmaps.AUTO},
                new long[] {8, ImageBitmaps.AUTO},
                new long[] {8, (0xffff_ffffL << 32) | ImageBitmaps.AUTO},
                new long[] {16, 0x02_10_0004L << 32},
                new long[] {16, 0x01_ff_0004L << 32});
    }

    @ParameterizedTest
    @MethodSource("damages")
    void a_bitmap_that_cannot_be_loaded_is_marked_in_use_and_the_disk_is_served(long[] damage) throws IOException {
        MemoryHostFile file = image(Bitmap.of("odd!", ImageBitmaps.AUTO, 16), Bitmap.of("kept", ImageBitmaps.AUTO, 16));
        long entry = ImageBitmaps.directory(file);
        byte[] value = ByteBuffer.allocate(8).putLong(damage[1]).array();
        file.write(entry + damage[0], value, 0, 8);
        try (Disk disk = open(file)) {
            disk.write(100_000, buffer.address(), 5_000);
        }
        assertThat(file.bytes(entry + 12, 4)).containsExactly(0, 0, 0, ImageBitmaps.AUTO | ImageBitmaps.IN_USE);
        assertThat(file.bytes(entry + 32 + 12, 4)).containsExactly(0, 0, 0, ImageBitmaps.AUTO);
    }

    /** The bits of such a bitmap are nobody's; what it names is somebody else's. */
    @Test
    void a_bitmap_that_names_a_table_of_the_image_neither_writes_it_nor_gives_it_up() throws IOException {
        MemoryHostFile file = image(Bitmap.of("hostile", ImageBitmaps.AUTO, 16).withBits(random(32, new Random(1))));
        long l1 = HeaderReader.read(file).l1Offset();
        byte[] entry = file.bytes(ImageBitmaps.directory(file), 8);
        long table = ByteBuffer.wrap(entry).getLong();
        file.write(table, ByteBuffer.allocate(8).putLong(l1).array(), 0, 8);
        for (int mount = 0; mount < 2; mount++) { // the second would be given what the first gave up
            try (Disk disk = open(file)) {
                disk.write(100_000L * mount, buffer.address(), 5_000);
                assertThat(disk.writable()).isTrue();
            }
            CheckedImage.requireLeaksAtWorst(file, "mount " + mount); // what the table named before
        }
    }

    @Test
    void a_directory_that_makes_no_sense_invalidates_all_bitmaps() throws IOException {
        MemoryHostFile file = image(Bitmap.of("lost", ImageBitmaps.AUTO, 16));
        file.write(ImageBitmaps.directory(file) + 18, new byte[] {1, 1}, 0, 2);
        try (Disk disk = open(file)) {
            disk.write(100_000, buffer.address(), 5_000);
        }
        assertThat(HeaderReader.read(file).autoclear()).isZero();
    }

    @Test
    void stale_bitmaps_are_left_alone() throws IOException {
        MemoryHostFile file = image(Bitmap.of("stale", ImageBitmaps.AUTO, 16));
        file.write(88, new byte[8], 0, 8);
        byte[] directory = file.bytes(ImageBitmaps.directory(file), 512);
        try (Disk disk = open(file)) {
            disk.write(100_000, buffer.address(), 5_000);
            disk.resize(SIZE / 2);
        }
        assertThat(file.bytes(ImageBitmaps.directory(file), 512)).isEqualTo(directory);
        assertThat(HeaderReader.read(file).autoclear()).isZero();
    }

    @Test
    void the_size_cannot_change_beside_an_inconsistent_bitmap() throws IOException {
        MemoryHostFile file = image(
                Bitmap.of("crashed", ImageBitmaps.AUTO | ImageBitmaps.IN_USE, 16),
                Bitmap.of("kept", ImageBitmaps.AUTO, 16));
        try (Disk disk = open(file)) {
            for (int size : new int[] {SIZE / 2, SIZE * 2}) {
                assertThatThrownBy(() -> disk.resize(size)).hasMessageContaining("bitmap \"crashed\" is inconsistent");
                assertThat(disk.size()).isEqualTo(SIZE);
            }
        }
        CheckedImage.requireClean(file);
        assertThat(ImageBitmaps.read(file).get(1).flags()).isEqualTo(ImageBitmaps.AUTO);
    }

    @Test
    void what_many_threads_write_at_once_is_all_in_the_bitmaps() throws Exception {
        MemoryHostFile file =
                image(Bitmap.of("fine", ImageBitmaps.AUTO, 9), Bitmap.of("coarse", ImageBitmaps.AUTO, 14));
        List<Bitmap> model = ImageBitmaps.read(file);
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try (Disk disk = open(file)) {
            List<Future<?>> writers = new ArrayList<>();
            for (int thread = 0; thread < 4; thread++) {
                Random random = new Random(thread);
                writers.add(threads.submit(() -> {
                    for (int i = 0; i < 60; i++) {
                        int length = 1 + random.nextInt(3_000);
                        long offset = random.nextInt(SIZE - length);
                        if (i % 4 == 0) {
                            disk.writeZeroes(offset, length, true);
                        } else {
                            disk.write(offset, buffer.address(), length);
                        }
                        synchronized (model) {
                            new Model(model).changed(offset, length);
                        }
                    }
                    return null;
                }));
            }
            for (Future<?> writer : writers) {
                writer.get(60, TimeUnit.SECONDS);
            }
        } finally {
            threads.shutdown();
        }
        CheckedImage.requireClean(file);
        assertThat(ImageBitmaps.read(file)).isEqualTo(model);
    }
}
