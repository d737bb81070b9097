package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.scan.RunVisitor;
import io.qfuse.qcow2.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where bytes are, against qemu-img map, over chains of all kinds of clusters. */
@Tag("system")
final class DiskMapQemuTest {

    private static final Pattern FIELD =
            Pattern.compile("\\{ (\"start\".*?)(, \"compressed\": \\w+)?(, \"offset\": \\d+)?\\}");
    private static final int SEEDS = Boolean.getBoolean("qfuse.long") ? 30 : 2;

    @TempDir
    private Path directory;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cluster_size=512",
                "cluster_size=4k,compat=0.10",
                "cluster_size=4k,compression_type=zstd",
                "cluster_size=64k",
                "cluster_size=16k,extended_l2=on",
                "cluster_size=128k,extended_l2=on",
                "cluster_size=2M"
            })
    void chains_are_mapped_as_qemu_maps_them(String options) throws IOException {
        for (int seed = 0; seed < SEEDS; seed++) {
            Random random = new Random(options.hashCode() + seed);
            String what = options + ", seed " + seed;
            Path raw = directory.resolve(seed + "base.raw");
            QemuImg.run("create", "-q", "-f", "raw", raw, "3000k");
            QemuImg.io(List.of("-f", "raw"), raw, "write 0 64k", "write 1M 300k", "write 2990k 9k");
            same(raw, true, what);
            Path low = directory.resolve(seed + "low.qcow2");
            QemuImg.run("create", "-q", "-f", "qcow2", "-o", options, "-b", raw, "-F", "raw", low, "5M");
            change(low, random, options);
            same(low, false, what);
            Path middle = directory.resolve(seed + "middle.qcow2");
            Path plain = directory.resolve(seed + "plain.qcow2");
            QemuImg.run("create", "-q", "-f", "qcow2", "-o", options, plain, "6M");
            change(plain, random, options);
            QemuImg.run("convert", "-c", "-O", "qcow2", "-o", options, plain, middle);
            QemuImg.run("rebase", "-u", "-b", low, "-F", "qcow2", middle);
            change(middle, random, options);
            same(middle, false, what);
            Path top = directory.resolve(seed + "top.qcow2");
            QemuImg.run("create", "-q", "-f", "qcow2", "-b", middle, "-F", "qcow2", top, "8M");
            change(top, random, "");
            same(top, false, what);
        }
    }

    @Test
    void holes_below_preallocated_clusters_are_mapped_as_qemu_maps_them() throws IOException {
        Path image = directory.resolve("image.qcow2");
        QemuImg.run("create", "-q", "-f", "qcow2", "-o", "preallocation=metadata", image, "20M");
        QemuImg.io(image, "write 5M 1M");
        same(image, false, "preallocated");
    }

    @Test
    void external_data_files_are_mapped() throws IOException {
        Path image = directory.resolve("image.qcow2");
        Path data = directory.resolve("image.data");
        QemuImg.run("create", "-q", "-f", "qcow2", "-o", "data_file=" + data, image, "5M");
        QemuImg.io(image, "write 0 100k", "write 1M 1M", "write -z 1M 128k");
        same(image, false, "data file");
        try (DiskMap map = Images.map(image, OpenOptions.readOnly())) {
            assertThat(map.file(0)).isEqualTo(data.toRealPath());
        }
    }

    /** Data and zeroes of all kinds at random, aligned or not. */
    private static void change(Path image, Random random, String options) {
        List<String> commands = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            int offset = random.nextInt(4 << 20) & (random.nextBoolean() ? -512 : -(64 << 10));
            int length = (1 + random.nextInt(400 << 10)) & (random.nextBoolean() ? -512 : -(64 << 10));
            if (length > 0) {
                String verb = switch (random.nextInt(options.contains("0.10") ? 2 : 5)) {
                    case 0, 1, 2 -> "write";
                    case 3 -> "write -z";
                    default -> "write -z -u";
                };
                commands.add(verb + " " + offset + " " + length);
            }
        }
        QemuImg.io(image, commands.toArray(String[]::new));
    }

    private static void same(Path image, boolean raw, String what) throws IOException {
        assertThat(ours(image, raw, 0, Long.MAX_VALUE))
                .as(what + ": " + image)
                .isEqualTo(theirs(image, raw, "-s", "0"));
        assertThat(ours(image, raw, 123_456, 1_654_321))
                .as(what + ": a part of " + image)
                .isEqualTo(theirs(image, raw, "-s", "123456", "-l", "1654321"));
    }

    private static List<String> theirs(Path image, boolean raw, String... words) {
        List<Object> command = new ArrayList<>(List.of("map", "--output=json", "-f", raw ? "raw" : "qcow2"));
        command.addAll(List.of(words));
        command.add(image);
        List<String> runs = new ArrayList<>();
        Matcher run = FIELD.matcher(QemuImg.run(command.toArray()));
        while (run.find()) {
            runs.add(run.group(1) + (run.group(3) == null ? "" : run.group(3)));
        }
        return runs;
    }

    private static List<String> ours(Path image, boolean raw, long from, long most) throws IOException {
        List<String> runs = new ArrayList<>();
        OpenOptions how = OpenOptions.readOnly();
        try (DiskMap map = raw ? Images.mapRaw(image, how) : Images.map(image, how)) {
            long to = Math.min(map.size(), most == Long.MAX_VALUE ? most : from + most);
            map.walk(
                    from,
                    to,
                    (start, length, depth, flags, host) -> runs.add(String.format(
                            "\"start\": %d, \"length\": %d, \"depth\": %d, \"present\": %b, \"zero\": %b, \"data\": %b%s",
                            start,
                            length,
                            depth,
                            (flags & RunVisitor.PRESENT) != 0,
                            (flags & RunVisitor.ZERO) != 0,
                            (flags & RunVisitor.DATA) != 0,
                            host == RunVisitor.NOWHERE ? "" : ", \"offset\": " + host)));
        }
        return runs;
    }
}
