package io.qfuse.qcow2.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.CreateOptions;
import io.qfuse.qcow2.check.CheckReport;
import io.qfuse.qcow2.check.ImageChecker;
import io.qfuse.qcow2.io.NativeHostFile;
import io.qfuse.qcow2.transfer.Target.Existing;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Conversions without any other tool. */
final class ConversionTest {

    private static final int SIZE = (3 << 20) + 1536;

    @TempDir
    Path directory;

    private Path raw = Path.of("");

    @BeforeEach
    void make_a_disk() throws IOException {
        byte[] bytes = new byte[SIZE];
        Random random = new Random(5);
        for (int at = 0; at < SIZE; at++) {
            int kind = at >> 15 & 3;
            bytes[at] = (byte) (kind == 0 ? 0 : kind == 1 ? random.nextInt() : random.nextInt(4));
        }
        raw = Files.write(directory.resolve("disk.raw"), bytes);
    }

    private Target image(String name, String options) {
        return new Target(
                directory.resolve(name),
                ImageFormat.QCOW2,
                Existing.REFUSE,
                CreateOptions.parse(List.of(options)),
                !options.contains("preallocation"));
    }

    private void convert(Path from, Target to, int workers) throws IOException {
        Conversion.run(Source.of(from), to, new CopyOptions(workers, CopyOptions.DEFAULT_SPARSE), Progress.NONE);
    }

    private List<String> files() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cluster_size=512,refcount_bits=64",
                "cluster_size=1k,refcount_bits=1",
                "cluster_size=4k,refcount_bits=2,compression_type=zstd",
                "cluster_size=64k",
                "cluster_size=2M,compat=0.10",
                "extended_l2=on,cluster_size=32k",
                "preallocation=metadata"
            })
    void there_and_back_is_the_same_disk_and_what_is_between_is_sound(String options) throws IOException {
        convert(raw, image("image", options), 3);
        try (NativeHostFile file = NativeHostFile.open(directory.resolve("image"), false)) {
            CheckReport report = ImageChecker.check(file);
            assertThat(report.isClean()).as("%s", report).isTrue();
        }
        convert(directory.resolve("image"), Target.of(directory.resolve("back"), ImageFormat.RAW), 3);
        assertThat(Files.mismatch(raw, directory.resolve("back"))).isEqualTo(-1);
        assertThat(files()).containsExactly("back", "disk.raw", "image");
    }

    @Test
    void a_file_does_not_depend_on_how_many_workers_made_it() throws IOException {
        convert(raw, image("one", "cluster_size=4k"), 1);
        convert(raw, image("many", "cluster_size=4k"), 9);
        assertThat(Files.mismatch(directory.resolve("one"), directory.resolve("many")))
                .isEqualTo(-1);
    }

    @Test
    void a_failure_of_any_worker_ends_all_and_leaves_nothing() throws IOException {
        convert(raw, image("image", "cluster_size=4k"), 2);
        Path broken = directory.resolve("image");
        byte[] bytes = Files.readAllBytes(broken);
        // Streams lie from the first clusters on; zeroes are none.
        Arrays.fill(bytes, bytes.length / 2, bytes.length / 2 + (64 << 10), (byte) 0xff);
        Files.write(broken, bytes);
        List<String> before = files();
        for (int workers : new int[] {1, 2, 8}) {
            assertThatThrownBy(() -> convert(broken, image("copy", "cluster_size=4k"), workers))
                    .isInstanceOf(IOException.class);
            assertThat(files()).isEqualTo(before);
        }
    }

    @Test
    void all_bytes_are_told_of_once() throws IOException {
        AtomicLong total = new AtomicLong();
        AtomicLong told = new AtomicLong();
        Progress progress = new Progress() {
            @Override
            public void begin(long bytes) {
                total.addAndGet(bytes);
            }

            @Override
            public void advance(long bytes) {
                told.addAndGet(bytes);
            }
        };
        Conversion.run(Source.of(raw), image("image", "cluster_size=64k"), CopyOptions.defaults(), progress);
        assertThat(total).hasValue(SIZE);
        assertThat(told).hasValue(SIZE);
    }

    @Test
    void what_is_there_stays_whole_until_it_is_replaced() throws IOException {
        Path there = Files.writeString(directory.resolve("there"), "mine");
        Target refused = Target.of(there, ImageFormat.RAW);
        assertThatThrownBy(() -> convert(raw, refused, 2)).hasMessageContaining("there is a file of that name already");
        assertThat(there).hasContent("mine");
        Target replaced = new Target(there, ImageFormat.RAW, Existing.REPLACE, CreateOptions.ofSize(0), false);
        Progress looks = new Progress() {
            @Override
            public void begin(long total) {}

            @Override
            public void advance(long bytes) {
                assertThat(there).hasContent("mine");
            }
        };
        Conversion.run(Source.of(raw), replaced, CopyOptions.defaults(), looks);
        assertThat(Files.mismatch(raw, there)).isEqualTo(-1);
    }
}
