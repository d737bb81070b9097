package io.qfuse.qcow2;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ImageBitmaps;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.QemuBitmaps;
import io.qfuse.qcow2.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bitmaps that QEMU made, kept by us, read and used by QEMU again. */
@Tag("system")
final class BitmapQemuTest {

    private static final int SIZE = 8 << 20;

    @TempDir
    Path directory;

    private final NativeBuffer buffer = NativeBuffer.allocate(1 << 20);

    @AfterEach
    void free() {
        buffer.close();
    }

    private Path image(String options) throws IOException {
        Path base = directory.resolve("base");
        Path image = directory.resolve("image");
        Files.write(base, QemuKind.content(SIZE));
        if (options.endsWith(",external")) {
            String name = options.replace(",external", ",data_file=" + directory.resolve("data"));
            QemuImg.run("create", "-q", "-f", "qcow2", "-o", name, image, SIZE);
        } else if (options.endsWith(",backed")) {
            String others = options.replace(",backed", "");
            QemuImg.run("create", "-q", "-f", "qcow2", "-o", others, "-b", base, "-F", "raw", image, SIZE);
        } else {
            QemuImg.run("create", "-q", "-f", "qcow2", "-o", options, image, SIZE);
        }
        return image;
    }

    private static void write(Map<Integer, BitSet> model, long offset, long length) {
        model.forEach((bits, dirty) -> dirty.set((int) (offset >> bits), (int) ((offset + length - 1) >> bits) + 1));
    }

    private void use(Path image, Random random, Map<Integer, BitSet> model) throws IOException {
        try (Disk disk = Images.open(image, OpenOptions.readWrite())) {
            for (int i = 0; i < 20; i++) {
                int length = 1 + random.nextInt(random.nextInt(4) == 0 ? 900_000 : 20_000);
                long offset = random.nextInt((int) disk.size() - length);
                switch (random.nextInt(5)) {
                    case 0 -> disk.writeZeroes(offset, length, true);
                    case 1 -> disk.writeZeroes(offset, length, false);
                    case 2 -> {
                        disk.allocate(offset, length);
                        continue;
                    }
                    default -> disk.write(offset, buffer.address(), length);
                }
                write(model, offset, length);
            }
            int size = SIZE / 2 + 512 * random.nextInt(SIZE / 512);
            disk.resize(size);
            model.forEach((bits, dirty) -> {
                int granules = ((size - 1) >> bits) + 1;
                dirty.clear(granules, Math.max(granules, dirty.length()));
            });
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ' ',
            value = {
                "cluster_size=512 9 16 21",
                "cluster_size=512,refcount_bits=1,backed 9 12 31",
                "cluster_size=4k,refcount_bits=64 12 13 20",
                "cluster_size=64k 12 16 20",
                "cluster_size=64k,extended_l2=on,backed 11 16 24",
                "cluster_size=64k,external 12 16 21",
                "cluster_size=2M,refcount_bits=8 12 16 21"
            })
    void qemu_finds_the_bits_of_what_both_have_written(String options, int fine, int middle, int coarse)
            throws IOException {
        Path image = image(options);
        Map<Integer, BitSet> model = new TreeMap<>();
        for (int bits : new int[] {fine, middle, coarse}) {
            model.put(bits, new BitSet());
            QemuImg.run("bitmap", "--add", "-g", 1L << bits, image, "b" + bits);
        }
        Random random = new Random(options.hashCode());
        QemuImg.io(image, "write 1M 100k", "write -z 3M 64k", "discard 5M 1M");
        write(model, 1 << 20, 100 << 10);
        write(model, 3 << 20, 64 << 10);
        write(model, 5 << 20, 1 << 20);
        QemuImg.run("bitmap", "--disable", image, "b" + middle);
        BitSet disabled = (BitSet) requireNonNull(model.get(middle)).clone();
        for (int round = 0; round < 2; round++) {
            use(image, random, model);
            int granules = (int) ((size(image) - 1) >> middle) + 1;
            disabled.clear(granules, Math.max(granules, disabled.length()));
            requireClean(image, round);
            for (int bits : model.keySet()) {
                assertThat(QemuBitmaps.read(image, "b" + bits, bits, directory))
                        .as("%s, round %d, granularity 2^%d", options, round, bits)
                        .isEqualTo(bits == middle ? disabled : model.get(bits));
            }
            QemuImg.io(image, "write 2M 5k");
            write(model, 2 << 20, 5 << 10);
        }
        requireClean(image, 2);
    }

    private static long size(Path image) throws IOException {
        try (Disk disk = Images.open(image, OpenOptions.readOnly())) {
            return disk.size();
        }
    }

    private static void requireClean(Path image, int round) {
        QemuImg.Check check = QemuImg.check(image);
        assertThat(check.exit()).as("round %d: %s", round, check.output()).isZero();
        assertThat(QemuImg.run("info", image)).doesNotContain("in-use");
    }

    @Test
    void qemu_merges_what_we_recorded() throws IOException {
        Path image = image("cluster_size=64k");
        QemuImg.run("bitmap", "--add", image, "ours");
        QemuImg.run("bitmap", "--add", "--disable", image, "sum");
        try (Disk disk = Images.open(image, OpenOptions.readWrite())) {
            disk.write(1 << 20, buffer.address(), 200_000);
        }
        QemuImg.run("bitmap", "--merge", "ours", image, "sum");
        BitSet dirty = new BitSet();
        dirty.set(16, 20);
        assertThat(QemuBitmaps.read(image, "sum", 16, directory)).isEqualTo(dirty);
    }

    @Test
    void names_in_any_script_stay_as_they_are() throws Exception {
        Path image = image("cluster_size=4k");
        // The name goes through printf, since a JVM in the C locale would pass other bytes.
        String script = "qemu-img bitmap --add \"$1\" \"$(printf 'gr\\303\\274n \\346\\274\\242')\"";
        Process made = new ProcessBuilder("sh", "-c", script, "sh", image.toString())
                .inheritIO()
                .start();
        assertThat(made.waitFor()).isZero();
        try (Disk disk = Images.open(image, OpenOptions.readWrite())) {
            disk.write(70_000, buffer.address(), 10);
        }
        requireClean(image, 0);
        BitSet dirty = new BitSet();
        dirty.set(70_000 >> 12);
        assertThat(ImageBitmaps.read(MemoryHostFile.of(image)))
                .isEqualTo(List.of(
                        ImageBitmaps.Bitmap.of("grün 漢", ImageBitmaps.AUTO, 12).withBits(dirty)));
    }

    @Test
    void what_a_full_bitmap_says_by_a_flag_is_what_qemu_reads() throws IOException {
        Path image = image("cluster_size=512");
        QemuImg.run("bitmap", "--add", "-g", 512, image, "all");
        try (Disk disk = Images.open(image, OpenOptions.readWrite())) {
            disk.writeZeroes(0, SIZE, true);
        }
        requireClean(image, 0);
        BitSet dirty = new BitSet();
        dirty.set(0, SIZE / 512);
        assertThat(QemuBitmaps.read(image, "all", 9, directory)).isEqualTo(dirty);
        QemuImg.io(image, "write 1M 4k");
        assertThat(QemuBitmaps.read(image, "all", 9, directory)).isEqualTo(dirty);
    }

    @Test
    void a_bitmap_that_a_crash_left_in_use_can_be_removed_and_holds_the_size() throws IOException {
        Path image = image("cluster_size=64k");
        QemuImg.run("bitmap", "--add", image, "crashed");
        Path copy = directory.resolve("copy");
        try (Disk disk = Images.open(image, OpenOptions.readWrite())) {
            disk.write(0, buffer.address(), 512);
            disk.flush();
            Files.copy(image, copy);
        }
        assertThat(QemuImg.run("info", copy)).contains("in-use");
        try (Disk disk = Images.open(copy, OpenOptions.readWrite())) {
            disk.write(1 << 20, buffer.address(), 512);
            assertThatThrownBy(() -> disk.resize(2 * SIZE)).hasMessageContaining("crashed");
        }
        assertThat(QemuImg.run("info", copy)).contains("in-use");
        QemuImg.run("bitmap", "--remove", copy, "crashed");
        assertThat(QemuImg.check(copy).corruptions()).isZero();
        try (Disk disk = Images.open(copy, OpenOptions.readWrite())) {
            disk.resize(2 * SIZE);
        }
    }
}
