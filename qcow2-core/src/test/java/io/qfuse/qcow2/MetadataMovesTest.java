package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.format.SnapshotRecord;
import io.qfuse.qcow2.guard.Health;
import io.qfuse.qcow2.guard.MetadataClusters;
import io.qfuse.qcow2.guard.MetadataRole;
import io.qfuse.qcow2.guard.MetadataScan;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.snapshot.SnapshotTable;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What an open image knows of its metadata is, after each flush, what a fresh look at the file finds. */
final class MetadataMovesTest {

    private static final int OPERATIONS = 150;
    private static final int LONGEST = 400_000;

    @TempDir
    Path temporary;

    @ParameterizedTest
    @ValueSource(ints = {0, 4, 6})
    void known_metadata_are_those_of_the_file_through_growth_and_resizes(int refcountOrder) throws IOException {
        run(new ImageKind(3, 9, refcountOrder, false).create(512), refcountOrder);
    }

    @Test
    @Tag("system")
    void known_metadata_are_those_of_the_file_through_unsharing_from_snapshots() throws IOException {
        Path path = temporary.resolve("image.qcow2");
        QemuImg.run("create", "-q", "-f", "qcow2", "-o", "cluster_size=512", path, 4 << 20);
        QemuImg.io(path, "write -q -P 1 0 2M");
        QemuImg.run("snapshot", "-c", "first", path);
        QemuImg.io(path, "write -q -P 2 1M 2M");
        QemuImg.run("snapshot", "-c", "second", path);
        MemoryHostFile image = MemoryHostFile.of(path);
        run(image, 17);
        image.saveTo(path);
        assertThat(QemuImg.check(path).exit()).as(QemuImg.check(path).output()).isZero();
    }

    private static void run(MemoryHostFile image, long seed) throws IOException {
        Random random = new Random(seed);
        OpenOptions options = OpenOptions.readWrite().withCacheBytes(256 << 10);
        Header header = HeaderReader.read(image);
        try (Qcow2Image disk = new Qcow2Image(
                        new ImageFiles(new KeptOpen(image), null),
                        header,
                        null,
                        options,
                        Qcow2Image.ChainCaches.of(options));
                NativeBuffer buffer = NativeBuffer.allocate(LONGEST)) {
            NativeBuffer.zero(buffer.address(), LONGEST);
            for (int i = 0; i < OPERATIONS; i++) {
                int length = 1 + random.nextInt((int) Math.min(disk.size(), LONGEST));
                long offset = (long) (random.nextDouble() * (disk.size() - length + 1));
                switch (random.nextInt(6)) {
                    case 0, 1, 2 -> disk.write(offset, buffer.address(), length);
                    case 3 -> disk.writeZeroes(offset, length, true);
                    case 4 -> disk.resize(512L * (1 + random.nextInt(20_000)));
                    default -> disk.allocate(offset, length);
                }
                if (i % 5 == 4) {
                    disk.flush();
                    compare(disk.metadata(), image, "seed " + seed + ", operation " + i);
                }
            }
        }
    }

    private static void compare(MetadataClusters known, MemoryHostFile image, String when) throws IOException {
        Header header = HeaderReader.read(image);
        SnapshotTable table = SnapshotTable.read(image, header);
        MetadataClusters found =
                MetadataScan.read(image, header, new Health(image, header, true), table.snapshots(), table.length());
        Set<Long> inactive = inactiveTables(image, table);
        for (long at = 0; at < image.size(); at += header.geometry().clusterSize()) {
            Set<MetadataRole> roles = found.at(at);
            if (inactive.contains(at) && known.at(at).contains(MetadataRole.L2)) {
                roles.add(MetadataRole.L2); // the present was unshared from it, and remembers what it is
            }
            assertThat(known.at(at)).as("%s: cluster 0x%x", when, at).isEqualTo(roles);
        }
        assertThat(known.end() * header.geometry().clusterSize()).as(when).isGreaterThanOrEqualTo(image.size());
    }

    private static Set<Long> inactiveTables(MemoryHostFile image, SnapshotTable table) {
        Set<Long> tables = new HashSet<>();
        for (SnapshotRecord snapshot : table.snapshots()) {
            for (int i = 0; i < snapshot.l1Size(); i++) {
                byte[] entry = image.bytes(snapshot.l1Offset() + 8L * i, 8);
                tables.add(L1Entry.l2Offset(ByteBuffer.wrap(entry).getLong()));
            }
        }
        return tables;
    }

    /** Outlives the disk. */
    private static final class KeptOpen extends ForwardingFile {

        KeptOpen(MemoryHostFile file) {
            super(file);
        }

        @Override
        public void close() {}
    }
}
