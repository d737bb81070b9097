package io.qfuse.qcow2.check;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.format.RefcountTableEntry;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The checker against qemu-img check, on sound images and on damaged ones. */
@Tag("system")
final class ImageCheckerQemuTest {

    private static final int DAMAGED = 60;

    @TempDir
    private Path directory;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cluster_size=512",
                "cluster_size=512,refcount_bits=64,compression_type=zstd",
                "cluster_size=4k,refcount_bits=2",
                "cluster_size=4k,compat=0.10",
                "cluster_size=64k,refcount_bits=8",
                "cluster_size=16k,extended_l2=on",
                "cluster_size=2M"
            })
    void it_finds_what_qemu_finds_on_damaged_images(String options) throws IOException {
        Path path = image(options);
        MemoryHostFile sound = MemoryHostFile.of(path);
        assertSameAsQemu(sound, path, options);
        List<Long> metadata = metadata(sound);
        for (int i = 0; i < (options.endsWith("2M") ? DAMAGED / 10 : DAMAGED); i++) {
            long seed = options.hashCode() * 31L + i;
            Random random = new Random(seed);
            MemoryHostFile damaged = sound.copy();
            for (int n = random.nextInt(2); n >= 0; n--) {
                damage(damaged, metadata, random);
            }
            damaged.saveTo(path);
            assertSameAsQemu(damaged, path, options + ", seed " + seed);
            assertRepaired(damaged, path, options + ", seed " + seed);
        }
    }

    /** Data, zero clusters, compressed clusters, snapshots as far as the width allows, and bitmaps. */
    private Path image(String options) {
        Path path = directory.resolve("a.qcow2");
        Path other = directory.resolve("b.qcow2");
        QemuImg.run("create", "-f", "qcow2", "-o", options, other, "4M");
        QemuImg.io(other, "write -P 1 0 100k", "write -P 2 1M 20k", "write -P 3 3000k 300k");
        if (options.contains("refcount_bits=2")) {
            QemuImg.run("convert", "-f", "qcow2", "-O", "qcow2", "-o", options, other, path);
        } else {
            QemuImg.run("convert", "-c", "-f", "qcow2", "-O", "qcow2", "-o", options, other, path);
        }
        QemuImg.io(path, "write -P 4 50k 100k", "write -P 5 2M 64k");
        boolean v3 = !options.contains("compat=0.10");
        QemuImg.run("snapshot", "-c", "one", path);
        QemuImg.io(path, "write -P 6 2M 32k", "write -P 7 600k 5k", v3 ? "write -z 3100k 64k" : "write 3100k 4k");
        if (!options.contains("refcount_bits=2")) {
            QemuImg.run("snapshot", "-c", "two", path);
        }
        QemuImg.io(path, "discard 0 64k", "write -P 8 1M 2k");
        if (v3) {
            QemuImg.run("bitmap", "--add", path, "b0");
            QemuImg.run("bitmap", "--add", "-g", "512", path, "b1");
            QemuImg.io(path, "write -P 9 3M 700");
        }
        return path;
    }

    private static void assertSameAsQemu(MemoryHostFile image, Path path, String name) throws IOException {
        QemuImg.Check qemu = QemuImg.check(path);
        CheckReport report;
        try {
            report = ImageChecker.check(image);
        } catch (Qcow2Exception e) {
            assertThat(qemu.exit())
                    .as("%s: %s: %s", name, e.getMessage(), qemu.output())
                    .isNotZero();
            return;
        }
        if (report.findings().stream().anyMatch(ImageCheckerQemuTest::isCountedInAnotherWay)) {
            assertThat(qemu.exit())
                    .as("%s: %s: %s", name, report, qemu.output())
                    .isBetween(1, 2);
            return;
        }
        if (qemu.exit() == 1 || qemu.output().contains("check-errors\": 1")) {
            // qemu gives up where a structure cannot be followed.
            assertThat(report.isSafe())
                    .as("%s: %s: %s", name, report, qemu.output())
                    .isFalse();
            return;
        }
        assertThat(List.of(report.corruptions(), report.leaks()))
                .as("corruptions and leaks of %s:%n%s%n%s", name, report, qemu.output())
                .isEqualTo(List.of((long) qemu.corruptions(), (long) qemu.leaks()));
        assertThat(qemu.exit()).as(name).isEqualTo(report.corruptions() > 0 ? 2 : report.leaks() > 0 ? 3 : 0);
        if (report.findings().stream().noneMatch(Finding.InvalidEntry.class::isInstance)) {
            assertThat(List.of(
                            report.end(),
                            report.allocatedClusters(),
                            report.fragmentedClusters(),
                            report.compressedClusters()))
                    .as(
                            "end, allocated, fragmented and compressed clusters of %s:%n%s%n%s",
                            name, report, qemu.output())
                    .isEqualTo(List.of(
                            qemu.number("image-end-offset"),
                            qemu.number("allocated-clusters"),
                            qemu.number("fragmented-clusters"),
                            qemu.number("compressed-clusters")));
        }
    }

    private static long corruptionsButFlags(CheckReport report) {
        return report.findings().stream()
                .filter(finding -> finding.severity() == Finding.Severity.CORRUPTION)
                .filter(finding -> !(finding instanceof Finding.CopiedWrong))
                .count();
    }

    private static boolean canBeRepaired(Finding finding) {
        return finding.remedy().isPresent()
                || (finding instanceof Finding.OutsideFile range && range.what().startsWith("refcount block"));
    }

    /** That a repair of ours leaves a sound image wherever one of qemu's does, in qemu's own eyes. */
    private void assertRepaired(MemoryHostFile damaged, Path path, String name) throws IOException {
        CheckReport found;
        try {
            found = ImageChecker.check(damaged);
        } catch (Qcow2Exception e) {
            return; // the header leaves nothing to repair
        }
        MemoryHostFile ours = damaged.copy();
        RequestedRepair.repair(ours, RequestedRepair.Extent.ALL, found);
        CheckReport left = ImageChecker.check(ours);
        // Where a table is damaged, flags of counts that were raised are left as they are.
        assertThat(corruptionsButFlags(left))
                .as("%s: %s, then %s", name, found, left)
                .isLessThanOrEqualTo(corruptionsButFlags(found));
        if (found.findings().stream().allMatch(ImageCheckerQemuTest::canBeRepaired)) {
            ours.saveTo(path);
            assertThat(QemuImg.check(path).exit())
                    .as("%s: %s, then %s", name, found, left)
                    .isZero();
        }
    }

    /**
     * qemu takes no offence at a cluster that is two things at once, counts the entries of a broken snapshot table, walks L1 tables that go beyond the end of the file, and takes
     * the header for an L2 table at offset 0.
     */
    private static boolean isCountedInAnotherWay(Finding finding) {
        return finding instanceof Finding.BrokenTable
                || finding instanceof Finding.Overlap
                || (finding instanceof Finding.OutsideFile range && range.what().startsWith("the L1 table of"))
                || (finding instanceof Finding.InvalidEntry entry && entry.why().startsWith("no table"));
    }

    /** The clusters that tables lie in, as far as they are found from the header in one step or two. */
    private static List<Long> metadata(MemoryHostFile image) throws IOException {
        Header header = HeaderReader.read(image);
        Geometry geometry = header.geometry();
        Set<Long> clusters = new TreeSet<>();
        clusters.add(header.refcountTableOffset());
        for (long entry : longs(image, header.refcountTableOffset(), geometry.clusterSize() / 8)) {
            clusters.add(RefcountTableEntry.blockOffset(entry));
        }
        for (long at = 0; at < header.l1Size() * 8L; at += geometry.clusterSize()) {
            clusters.add(header.l1Offset() + at);
        }
        for (long entry : longs(image, header.l1Offset(), header.l1Size())) {
            clusters.add(L1Entry.l2Offset(entry));
        }
        clusters.add(header.snapshotsOffset());
        clusters.remove(0L);
        return new ArrayList<>(clusters);
    }

    private static long[] longs(MemoryHostFile image, long offset, int count) {
        long[] longs = new long[count];
        ByteBuffer.wrap(image.bytes(offset, 8 * count)).asLongBuffer().get(longs);
        return longs;
    }

    /** Changes one aligned u64 near the start of a table, where entries are likelier to be in use. */
    private static void damage(MemoryHostFile image, List<Long> metadata, Random random) throws IOException {
        int clusterSize = HeaderReader.read(image).geometry().clusterSize();
        long at = metadata.get(random.nextInt(metadata.size())) + 8L * random.nextInt(Math.min(clusterSize / 8, 64));
        long value = longs(image, at, 1)[0];
        long changed = switch (random.nextInt(6)) {
            case 0 -> value ^ 1L << random.nextInt(64);
            case 1 -> 0;
            case 2 -> value + clusterSize;
            case 3 -> random.nextLong() & 0x8000_0000_00ff_fe00L;
            case 4 -> (long) random.nextInt(200) * clusterSize | Long.MIN_VALUE;
            default -> random.nextLong();
        };
        image.write(at, ByteBuffer.allocate(8).putLong(changed).array(), 0, 8);
    }
}
