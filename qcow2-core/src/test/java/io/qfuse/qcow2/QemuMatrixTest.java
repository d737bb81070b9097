package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.QemuKind.Base;
import io.qfuse.qcow2.QemuKind.Maker;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.QemuImg;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every kind of image, used at random, against qemu-img: what it checks, converts and maps. */
@Tag("system")
final class QemuMatrixTest {

    private static final int OPERATIONS = 40;
    private static final int MOST_GROWTH = 1 << 20;
    private static final OpenOptions SMALL_CACHE = OpenOptions.readWrite().withCacheBytes(256 << 10);
    private static final Pattern MAP_ENTRY =
            Pattern.compile("\"start\": (\\d+), \"length\": (\\d+), .*?\"zero\": (true|false), \"data\": (true|false)");

    @TempDir
    static Path bases;

    @TempDir
    Path directory;

    static List<QemuKind> kinds() {
        return QemuKind.all();
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void image_used_at_random_is_what_qemu_reads_and_finds_clean(QemuKind kind) throws IOException {
        long seed = kind.toString().hashCode();
        try {
            run(kind, seed);
        } catch (IOException | RuntimeException | AssertionError e) {
            throw new AssertionError(kind + ", seed " + seed, e);
        }
    }

    private void run(QemuKind kind, long seed) throws IOException {
        Path image = directory.resolve("image.qcow2");
        Path base = kind.base() == Base.NONE ? null : kind.makeBase(bases);
        byte[] baseBytes = base == null ? new byte[0] : Files.readAllBytes(base);
        kind.make(image, bases);
        Random random = new Random(seed);
        byte[] model = kind.isNoise() ? convert(kind.opened(image, bases)) : kind.expected();
        if (kind.maker() == Maker.SNAPSHOT) {
            model = use(image, model, random, false);
            qemuImg(kind.opened(image, bases), "snapshot", "-c", "kept");
        }
        byte[] kept = model.clone();
        model = use(image, model, random, kind.resizable());
        List<Object> opened = kind.opened(image, bases);
        requireClean(opened);
        assertThat(Arrays.mismatch(convert(opened), model))
                .as("first byte that qemu reads differently")
                .isEqualTo(-1);
        if (kind.maker() == Maker.SNAPSHOT) {
            byte[] snapshot = convert(opened, "-l", "snapshot.name=kept");
            int both = Math.min(snapshot.length, kept.length); // qemu-img shows it with the size of now
            assertThat(Arrays.mismatch(snapshot, 0, both, kept, 0, both))
                    .as("first byte of the snapshot that has changed")
                    .isEqualTo(-1);
        }
        compareMap(image, opened, model);
        if (kind.isDiskInDataFile()) {
            byte[] data = Files.readAllBytes(QemuKind.dataFile(image));
            assertThat(Arrays.mismatch(data, 0, model.length, model, 0, model.length))
                    .as("first byte that the raw data file says differently")
                    .isEqualTo(-1);
        }
        if (base != null) {
            assertThat(Arrays.mismatch(Files.readAllBytes(base), baseBytes))
                    .as("first byte of the base that has changed")
                    .isEqualTo(-1);
        }
    }

    private static void requireClean(List<Object> opened) {
        QemuImg.Check check = QemuImg.check(opened);
        assertThat(check.exit()).as(check.output()).isZero();
    }

    /** Runs a verb of qemu-img on an image that is opened by certain words. */
    private static String qemuImg(List<Object> opened, Object... words) {
        List<Object> all = new ArrayList<>(List.of(words));
        all.addAll(opened);
        return QemuImg.run(all.toArray());
    }

    private byte[] convert(List<Object> opened, Object... words) throws IOException {
        Path raw = directory.resolve("converted.raw");
        List<Object> all = new ArrayList<>(List.of("convert", "-O", "raw"));
        all.addAll(List.of(words));
        all.addAll(opened);
        all.add(raw);
        QemuImg.run(all.toArray());
        return Files.readAllBytes(raw);
    }

    private static Disk open(Path image, OpenOptions options) throws IOException {
        try (Passphrase secret = Passphrase.of(TestDisk.PASSPHRASE.getBytes(StandardCharsets.US_ASCII))) {
            return Images.open(image, options.withPassphrase(secret)); // which images in the clear do not use
        }
    }

    /** Uses an image that reads as {@code bytes}, and gives what it reads as in the end. */
    private static byte[] use(Path image, byte[] bytes, Random random, boolean resize) throws IOException {
        byte[] model = bytes;
        try (NativeBuffer buffer = NativeBuffer.allocate(bytes.length + MOST_GROWTH)) {
            try (Disk disk = open(image, SMALL_CACHE)) {
                requireBytes(disk, model, buffer);
                for (int i = 0; i < OPERATIONS; i++) {
                    if (resize && i % 16 == 5) {
                        int size = (model.length - MOST_GROWTH / 2 + random.nextInt(MOST_GROWTH)) & -512;
                        disk.resize(Math.min(size, bytes.length + MOST_GROWTH));
                        model = Arrays.copyOf(model, (int) disk.size());
                    } else {
                        step(disk, model, random, buffer);
                    }
                }
                requireBytes(disk, model, buffer);
            }
            try (Disk disk = open(image, OpenOptions.readOnly())) {
                requireBytes(disk, model, buffer);
            }
        }
        return model;
    }

    private static void step(Disk disk, byte[] model, Random random, NativeBuffer buffer) throws IOException {
        int length = 1 + random.nextInt(random.nextInt(4) == 0 ? 500_000 : 9_000);
        int offset = random.nextInt(model.length - length + 1);
        if (random.nextBoolean()) {
            offset &= -4096;
        }
        switch (random.nextInt(8)) {
            case 0, 1, 2 -> {
                byte[] written = new byte[length];
                random.nextBytes(written);
                NativeBuffer.put(buffer.address(), written, 0, length);
                disk.write(offset, buffer.address(), length);
                System.arraycopy(written, 0, model, offset, length);
            }
            case 3, 4 -> {
                disk.writeZeroes(offset, length, random.nextBoolean());
                Arrays.fill(model, offset, offset + length, (byte) 0);
            }
            case 5 -> disk.allocate(offset, length);
            case 6 -> disk.flush();
            default ->
                assertThat(Arrays.mismatch(
                                TestDisk.read(disk, offset, length, buffer), 0, length, model, offset, offset + length))
                        .as("%d bytes at %d", length, offset)
                        .isEqualTo(-1);
        }
    }

    private static void requireBytes(Disk disk, byte[] model, NativeBuffer buffer) throws IOException {
        assertThat(disk.size()).isEqualTo(model.length);
        assertThat(Arrays.mismatch(TestDisk.read(disk, 0, model.length, buffer), model))
                .as("first byte that differs")
                .isEqualTo(-1);
    }

    /** What we call a hole reads as zeroes, and what qemu calls data we call data. */
    private static void compareMap(Path image, List<Object> opened, byte[] model) throws IOException {
        BitSet data = new BitSet(model.length);
        try (Disk disk = open(image, OpenOptions.readOnly())) {
            for (long at = 0; at < model.length; ) {
                Extent extent = disk.nextExtent(at);
                assertThat(extent.offset()).isEqualTo(at);
                if (!extent.isHole()) {
                    data.set((int) at, (int) extent.end());
                }
                at = extent.end();
            }
        }
        for (int at = data.nextClearBit(0); at < model.length; at = data.nextClearBit(at + 1)) {
            assertThat(model[at]).as("byte %d of a hole", at).isZero();
        }
        Matcher entry = MAP_ENTRY.matcher(qemuImg(opened, "map", "--output=json"));
        int reached = 0;
        while (entry.find()) {
            int start = Integer.parseInt(entry.group(1));
            int end = start + Integer.parseInt(entry.group(2));
            boolean zero = Boolean.parseBoolean(entry.group(3));
            boolean stored = Boolean.parseBoolean(entry.group(4));
            if (stored && !zero) {
                assertThat(data.nextClearBit(start))
                        .as("hole in qemu's %s", entry.group())
                        .isGreaterThanOrEqualTo(end);
            } else if (!stored) {
                int ours = data.nextSetBit(start);
                assertThat(ours < 0 ? end : ours)
                        .as("data in qemu's %s", entry.group())
                        .isGreaterThanOrEqualTo(end);
            }
            reached = end;
        }
        assertThat(reached).isEqualTo(model.length);
    }
}
