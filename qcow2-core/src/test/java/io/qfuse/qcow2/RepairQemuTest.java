package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderField;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.format.RefcountTableEntry;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images that QEMU left dirty, or whose refcounts were damaged, against QEMU's own repair. */
@Tag("system")
final class RepairQemuTest {

    private static final int DAMAGED = Boolean.getBoolean("qfuse.long") ? 200 : 4;

    /** Clusters of a bitmap: directory, table, data. Whoever does not keep it up to date gives it up. */
    private static final int OF_BITMAP = 3;

    @TempDir
    private Path directory;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cluster_size=512",
                "cluster_size=4k,refcount_bits=1",
                "cluster_size=64k",
                "cluster_size=64k,extended_l2=on",
                "cluster_size=2M,refcount_bits=64"
            })
    void what_a_killed_qemu_left_is_repaired_as_qemu_repairs_it(String options) throws IOException {
        Path image = directory.resolve("image.qcow2");
        QemuImg.run("create", "-q", "-f", "qcow2", "-o", options + ",lazy_refcounts=on", image, "20M");
        QemuImg.io(image, "write -P 1 0 3M", "discard 1M 512k");
        QemuImg.ioAndKill(
                image,
                "write -P 2 500k 9M",
                "write -z -u 4M 1M",
                "flush",
                "write -P 3 12M 2M",
                "discard 2M 1M",
                "write -P 4 2M 100k");
        assertThat(dirty(image)).as("QEMU left it dirty").isTrue();
        verify(image, options);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cluster_size=512,refcount_bits=64",
                "cluster_size=4k,refcount_bits=8",
                "cluster_size=64k",
                "cluster_size=16k,extended_l2=on",
                "cluster_size=2M"
            })
    void damaged_refcounts_of_images_with_snapshots_and_compressed_clusters_are_repaired_as_qemu_repairs_them(
            String options) throws IOException {
        Path sound = directory.resolve("sound.qcow2");
        make(sound, options);
        MemoryHostFile memory = MemoryHostFile.of(sound);
        for (int i = 0; i < DAMAGED; i++) {
            long seed = options.hashCode() * 31L + i;
            MemoryHostFile damaged = memory.copy();
            damage(damaged, new Random(seed));
            Path image = directory.resolve("image.qcow2");
            damaged.saveTo(image);
            verify(image, options + ", seed " + seed);
        }
    }

    /** Data, compressed clusters, two snapshots, a bitmap. */
    private void make(Path image, String options) throws IOException {
        Path raw = directory.resolve("raw");
        Files.write(raw, QemuKind.content(6 << 20));
        QemuImg.run("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, raw, image);
        QemuImg.io(image, "write -P 1 0 1M", "write -P 2 3M 100k");
        QemuImg.run("snapshot", "-c", "one", image);
        QemuImg.io(image, "write -P 3 500k 300k", "discard 2M 1M");
        QemuImg.run("snapshot", "-c", "two", image);
        QemuImg.run("bitmap", "--add", image, "b0");
        QemuImg.io(image, "write -P 4 0 64k", "write -P 5 5M 200k");
    }

    /** Marks an image dirty, and damages counts, the table that names the blocks, and COPIED flags. */
    private static void damage(MemoryHostFile image, Random random) throws IOException {
        Header header = HeaderReader.read(image);
        Geometry geometry = header.geometry();
        List<Long> entries = new ArrayList<>(); // with a flag
        List<Long> tableWords = new ArrayList<>();
        List<Long> blockWords = new ArrayList<>();
        for (long i = 0; i < Math.min(64, geometry.clusterSize() / 8); i++) {
            long at = header.refcountTableOffset() + 8 * i;
            long block = RefcountTableEntry.blockOffset(get(image, at));
            tableWords.add(at);
            for (long word = 0; block != 0 && word < Math.min(64, geometry.clusterSize() / 8); word++) {
                blockWords.add(block + 8 * word);
            }
        }
        for (long i = 0; i < header.l1Size(); i++) {
            long table = L1Entry.l2Offset(get(image, header.l1Offset() + 8 * i));
            if (table != 0) {
                entries.add(header.l1Offset() + 8 * i);
                for (long at = table; at < table + geometry.clusterSize(); at += geometry.l2EntrySize()) {
                    long entry = get(image, at);
                    if (!L2Entry.isCompressed(entry) && L2Entry.hostOffset(entry) != 0) {
                        entries.add(at);
                    }
                }
            }
        }
        put(image, HeaderField.INCOMPATIBLE, header.incompatible() | Features.DIRTY);
        for (int i = random.nextInt(6); i >= 0; i--) {
            long entry = entries.get(random.nextInt(entries.size()));
            long inTable = tableWords.get(random.nextInt(tableWords.size()));
            long inBlock = blockWords.get(random.nextInt(blockWords.size()));
            switch (random.nextInt(5)) {
                case 0 -> put(image, entry, get(image, entry) ^ L2Entry.COPIED);
                case 1 -> put(image, inTable, random.nextBoolean() ? 0 : get(image, inTable) + geometry.clusterSize());
                case 2 -> put(image, inBlock, random.nextLong());
                default -> put(image, inBlock, get(image, inBlock) ^ 1L << random.nextInt(64));
            }
        }
    }

    private static long get(MemoryHostFile image, long at) {
        return ByteBuffer.wrap(image.bytes(at, 8)).getLong();
    }

    private static void put(MemoryHostFile image, long at, long value) {
        image.write(at, ByteBuffer.allocate(8).putLong(value).array(), 0, 8);
    }

    private static boolean dirty(Path image) throws IOException {
        return (HeaderReader.read(MemoryHostFile.of(image)).incompatible() & Features.DIRTY) != 0;
    }

    /** Repairs a copy by qemu-img and the image by opening it, and wants the same guest bytes and snapshots of both. */
    private void verify(Path image, String what) throws IOException {
        Path copy = directory.resolve("copy.qcow2");
        Files.copy(image, copy, StandardCopyOption.REPLACE_EXISTING);
        QemuImg.run("check", "-q", "-r", "all", "-f", "qcow2", copy);
        byte[] expected = bytes(copy, null);
        try (Disk disk = Images.open(image, OpenOptions.readWrite());
                NativeBuffer buffer = NativeBuffer.allocate(expected.length)) {
            assertThat(TestDisk.read(disk, 0, expected.length, buffer)).as(what).isEqualTo(expected);
        }
        requireClean(image, 0, what + ", opened and closed");
        try (Disk disk = Images.open(image, OpenOptions.readWrite());
                NativeBuffer buffer = NativeBuffer.allocate(expected.length)) {
            Random random = new Random(7);
            for (int i = 0; i < 12; i++) {
                int offset = random.nextInt(expected.length - 200_000);
                byte[] bytes = new byte[1 + random.nextInt(200_000)];
                if (i % 4 == 3) {
                    disk.writeZeroes(offset, bytes.length, true);
                } else {
                    random.nextBytes(bytes);
                    NativeBuffer.put(buffer.address(), bytes, 0, bytes.length);
                    disk.write(offset, buffer.address(), bytes.length);
                }
                System.arraycopy(bytes, 0, expected, offset, bytes.length);
            }
        }
        requireClean(image, OF_BITMAP, what + ", written");
        assertThat(bytes(image, null)).as(what).isEqualTo(expected);
        if (HeaderReader.read(MemoryHostFile.of(copy)).snapshotCount() > 0) {
            for (String snapshot : List.of("one", "two")) {
                assertThat(bytes(image, snapshot))
                        .as("%s, snapshot %s", what, snapshot)
                        .isEqualTo(bytes(copy, snapshot));
            }
        }
    }

    private static void requireClean(Path image, int mostLeaks, String what) throws IOException {
        QemuImg.Check check = QemuImg.check(image);
        assertThat(check.exit()).as("%s: %s", what, check.output()).isIn(0, 3);
        assertThat(check.leaks()).as("%s: %s", what, check.output()).isLessThanOrEqualTo(mostLeaks);
        assertThat(dirty(image)).as(what).isFalse();
    }

    private byte[] bytes(Path image, @Nullable String snapshot) throws IOException {
        Path raw = directory.resolve("compared");
        if (snapshot == null) {
            QemuImg.run("convert", "-f", "qcow2", "-O", "raw", image, raw);
        } else {
            QemuImg.run("convert", "-f", "qcow2", "-l", "snapshot.name=" + snapshot, "-O", "raw", image, raw);
        }
        return Files.readAllBytes(raw);
    }
}
