package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Snapshots that qemu-img takes, applies and deletes between our sessions of writing. */
@Tag("system")
final class SnapshotsQemuTest {

    private static final int SIZE = (1 << 20) + 3 * 512;
    private static final int SESSIONS = 3;
    private static final long SEED = Long.getLong("qfuse.seed", 1);

    /** Images that can have snapshots, and what is special about each. */
    enum Kind {
        VERSION_2(false, "cluster_size=4k,compat=0.10"),
        SMALLEST_CLUSTERS(false, "cluster_size=512"),
        DEFAULT(false, ""),
        LARGE_CLUSTERS(false, "cluster_size=2M"),
        TWO_BITS(false, "cluster_size=4k,refcount_bits=2"),
        SIXTY_FOUR_BITS(false, "cluster_size=4k,refcount_bits=64"),
        EXTENDED(false, "cluster_size=16k,extended_l2=on"),
        COMPRESSED(true, "cluster_size=4k"),
        COMPRESSED_VERSION_2(true, "cluster_size=64k,compat=0.10"),
        COMPRESSED_EXTENDED(true, "cluster_size=16k,extended_l2=on,compression_type=zstd"),
        /** Streams may fill the count of a cluster, so that qemu-img refuses some snapshots. */
        COMPRESSED_TWO_BITS(true, "cluster_size=4k,refcount_bits=2"),
        /** No cluster is ever shared, and no snapshot can be taken. */
        COMPRESSED_ONE_BIT(true, "cluster_size=4k,refcount_bits=1");

        private final boolean compressed;
        private final String options;

        Kind(boolean compressed, String options) {
            this.compressed = compressed;
            this.options = options;
        }

        boolean resizable() {
            return !options.contains("0.10");
        }

        void make(Path image, Path raw) {
            String all = options.isEmpty() ? "cluster_size=64k" : options;
            List<Object> words = new ArrayList<>(List.of("convert", "-f", "raw", "-O", "qcow2", "-o", all, raw, image));
            if (compressed) {
                words.add(1, "-c");
            }
            QemuImg.run(words.toArray());
        }
    }

    @TempDir
    private Path directory = Path.of("");

    private final Random random = new Random(SEED);
    private final Map<Integer, byte[]> snapshots = new TreeMap<>();
    private Path image = Path.of("");
    private byte[] present = new byte[0];

    @ParameterizedTest
    @EnumSource
    void present_and_past_are_right_whoever_wrote_last(Kind kind) throws IOException {
        image = directory.resolve("image.qcow2");
        present = QemuKind.content(SIZE);
        kind.make(image, Files.write(directory.resolve("raw"), present));
        int next = 1;
        for (int session = 0; session < SESSIONS; session++) {
            String what = kind + ", seed " + SEED + ", session " + session;
            for (int i = 0; i < 2 && next <= 5; i++) {
                next += takeSnapshot(next) ? 1 : 0;
            }
            writeBesideTheSnapshots(what, kind);
            requireRight(what);
            if (snapshots.size() > 2 || (!snapshots.isEmpty() && kind.options.contains("bits=2"))) {
                int gone = pickSnapshot();
                QemuImg.run("snapshot", "-d", "name" + gone, image);
                snapshots.remove(gone);
            }
            if (!snapshots.isEmpty() && random.nextBoolean()) {
                int applied = pickSnapshot();
                QemuImg.run("snapshot", "-a", "name" + applied, image);
                present = contentOf(applied).clone();
            }
            requireRight(what + " after qemu-img");
        }
        assertThat(next).as("%s took snapshots", kind).isGreaterThan(kind == Kind.COMPRESSED_ONE_BIT ? 0 : 1);
    }

    private boolean takeSnapshot(int number) {
        if (!QemuImg.succeeds("snapshot", "-c", "name" + number, image)) {
            QemuImg.run("check", "-q", "-r", "leaks", image); // qemu-img leaves what it had allocated for it
            return false;
        }
        snapshots.put(number, present.clone());
        return true;
    }

    private byte[] contentOf(int number) {
        return Objects.requireNonNull(snapshots.get(number), () -> "snapshot " + number);
    }

    private int pickSnapshot() {
        List<Integer> numbers = List.copyOf(snapshots.keySet());
        return numbers.get(random.nextInt(numbers.size()));
    }

    private void writeBesideTheSnapshots(String what, Kind kind) throws IOException {
        OpenOptions options = OpenOptions.readWrite().withCacheBytes(256 << 10);
        ImageWithSnapshots open = Images.openWithSnapshots(image, options);
        try (Disk disk = open.disk();
                NativeBuffer buffer = NativeBuffer.allocate(4 << 20)) {
            assertThat(open.snapshots()).hasSameSizeAs(snapshots.keySet());
            for (int i = 0; i < 40; i++) {
                change(disk, kind, buffer);
                for (Snapshot snapshot : open.snapshots()) {
                    requireSame(what + ", operation " + i, snapshot, buffer);
                }
            }
            assertThat(TestDisk.read(disk, 0, present.length, buffer)).as(what).isEqualTo(present);
        }
    }

    private void requireSame(String what, Snapshot snapshot, NativeBuffer buffer) throws IOException {
        byte[] expected = contentOf(Integer.parseInt(snapshot.name().substring("name".length())));
        assertThat(snapshot.disk().size()).as(what).isEqualTo(expected.length);
        byte[] read = TestDisk.read(snapshot.disk(), 0, expected.length, buffer);
        assertThat(Arrays.mismatch(read, expected))
                .as("%s: snapshot %s differs at", what, snapshot.name())
                .isEqualTo(-1);
    }

    private void change(Disk disk, Kind kind, NativeBuffer buffer) throws IOException {
        int length = 1 + random.nextInt(random.nextInt(4) == 0 ? 300_000 : 6_000);
        length = Math.min(length, present.length);
        int offset = random.nextInt(present.length - length + 1) & (random.nextBoolean() ? -1 : -4096);
        switch (random.nextInt(10)) {
            case 0, 1, 2, 3, 4 -> {
                byte[] bytes = new byte[length];
                random.nextBytes(bytes);
                NativeBuffer.put(buffer.address(), bytes, 0, length);
                disk.write(offset, buffer.address(), length);
                System.arraycopy(bytes, 0, present, offset, length);
            }
            case 5, 6 -> {
                disk.writeZeroes(offset, length, random.nextBoolean());
                Arrays.fill(present, offset, offset + length, (byte) 0);
            }
            case 7 -> disk.flush();
            case 8 -> disk.allocate(offset, length);
            default -> {
                if (kind.resizable() || snapshots.isEmpty()) {
                    int size = 512 * (1000 + random.nextInt(3000));
                    disk.resize(size);
                    present = Arrays.copyOf(present, size);
                }
            }
        }
    }

    private void requireRight(String what) throws IOException {
        QemuImg.Check check = QemuImg.check(image);
        assertThat(check.exit()).as("%s: %s", what, check.output()).isZero();
        Path raw = directory.resolve("out");
        QemuImg.run("convert", "-f", "qcow2", "-O", "raw", image, raw);
        assertThat(Arrays.mismatch(Files.readAllBytes(raw), present)).as(what).isEqualTo(-1);
        for (Map.Entry<Integer, byte[]> snapshot : snapshots.entrySet()) {
            QemuImg.run(
                    "convert", "-f", "qcow2", "-O", "raw", "-l", "snapshot.name=name" + snapshot.getKey(), image, raw);
            // qemu-img gives a snapshot the present size.
            byte[] read = Files.readAllBytes(raw);
            int common = Math.min(read.length, snapshot.getValue().length);
            assertThat(Arrays.mismatch(Arrays.copyOf(read, common), Arrays.copyOf(snapshot.getValue(), common)))
                    .as("%s: snapshot %s", what, snapshot.getKey())
                    .isEqualTo(-1);
        }
    }
}
