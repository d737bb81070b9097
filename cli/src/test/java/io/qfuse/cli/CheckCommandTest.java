package io.qfuse.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.CreateOptions;
import io.qfuse.qcow2.Disk;
import io.qfuse.qcow2.Images;
import io.qfuse.qcow2.OpenOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** One image of 64 KiB with 512-byte clusters, all preallocated: refcounts at 0x400, L1 at 0x600, L2 at 0x800. */
class CheckCommandTest {

    private static final int COUNTS = 0x400;
    private static final int CORRUPT = 2;
    private static final int LEAKS = 3;

    @TempDir
    private Path directory;

    private Path image = Path.of("set below");
    private StringWriter out = new StringWriter();
    private StringWriter err = new StringWriter();

    @BeforeEach
    void create() throws IOException {
        image = directory.resolve("a.qcow2");
        Images.create(image, CreateOptions.parse(List.of("cluster_size=512,preallocation=metadata,size=64k")));
    }

    @Test
    void a_sound_image_ends_with_0_and_its_statistics() {
        assertThat(check()).isZero();
        assertThat(out.toString()).isEqualTo("""
                        No errors were found on the image.
                        128/128 = 100.00% allocated, 0.00% fragmented, 0.00% compressed clusters
                        Image end offset: 68608 (67 KiB)
                        """);
        assertThat(check("-q")).isZero();
        assertThat(out.toString()).isEmpty();
    }

    @Test
    void leaks_end_with_3_and_corruption_with_2_until_they_are_repaired() throws IOException {
        count(7, 2);
        assertThat(check()).isEqualTo(CORRUPT); // its entry says COPIED
        assertThat(check("-r", "leaks")).isZero();
        assertThat(out.toString()).contains("repaired: 0 corruptions, 1 leaked cluster; checked again:\nNo errors");
        count(134, 1);
        grow(135 * 512);
        assertThat(check()).isEqualTo(LEAKS);
        assertThat(out.toString())
                .startsWith("leak: leaked cluster at 0x10c00: refcount 1, references 0; -r leaks frees the cluster\n"
                        + "1 leaked cluster: space is lost");
        count(6, 0);
        assertThat(check()).isEqualTo(CORRUPT);
        assertThat(check("--repair=all", "--output=json")).isZero();
        assertThat(out.toString())
                .contains(
                        "\"leaks-fixed\": 1",
                        "\"corruptions-fixed\": 1",
                        "\"check-errors\": 0",
                        "\"format\": \"qcow2\"")
                .doesNotContain("\"leaks\"", "\"corruptions\"");
        assertThat(check()).isZero();
    }

    @Test
    void more_findings_than_a_thousand_are_counted_and_not_told() throws IOException {
        Path large = directory.resolve("large.qcow2");
        Images.create(large, CreateOptions.parse(List.of("cluster_size=512,preallocation=metadata,size=1M")));
        try (RandomAccessFile file = new RandomAccessFile(large.toFile(), "rw")) {
            file.seek(0x200);
            long block = file.readLong();
            file.seek(block);
            file.write(new byte[512]);
            for (int i = 1; i < 8; i++) {
                file.seek(0x200 + 8 * i);
                block = file.readLong();
                file.seek(block == 0 ? 0x400 : block);
                file.write(new byte[512]);
            }
        }
        assertThat(run("check", large.toString())).isEqualTo(CORRUPT);
        assertThat(out.toString().lines())
                .hasSizeLessThan(1010)
                .anyMatch(line -> line.matches("\\.\\.\\. and \\d+ more"));
    }

    @Test
    void what_is_no_qcow2_image_cannot_be_checked_and_ends_with_63() throws IOException {
        Path raw = Files.write(directory.resolve("disk.raw"), new byte[4096]);
        assertThat(run("check", raw.toString())).isEqualTo(63);
        assertThat(run("check", "-f", "raw", image.toString())).isEqualTo(63);
        assertThat(run("check", "-f", "qcow2", raw.toString())).isEqualTo(Qfuse.FAILED);
        assertThat(err.toString()).contains("not a qcow2 image");
    }

    @Test
    void an_image_that_is_written_is_refused_unless_its_writer_is_to_be_ignored() throws IOException {
        try (Disk disk = Images.open(image, OpenOptions.readWrite())) {
            assertThat(disk.writable()).isTrue();
            assertThat(check()).isEqualTo(Qfuse.FAILED);
            assertThat(err.toString()).contains("lock");
            assertThat(check("-r", "all")).isEqualTo(Qfuse.FAILED);
            assertThat(check("-U")).isZero();
        }
        try (Disk disk = Images.open(image, OpenOptions.readOnly())) {
            assertThat(disk.writable()).isFalse();
            assertThat(check()).isZero();
            assertThat(check("-r", "all")).isEqualTo(Qfuse.FAILED);
        }
        assertThat(check("-U", "-r", "all")).isEqualTo(Qfuse.USAGE);
    }

    private int check(String... words) {
        return run(Stream.concat(Stream.of("check", image.toString()), Stream.of(words))
                .toArray(String[]::new));
    }

    private int run(String... words) {
        out = new StringWriter();
        err = new StringWriter();
        CommandLine commandLine = Qfuse.commandLine();
        commandLine.setOut(new PrintWriter(out, true));
        commandLine.setErr(new PrintWriter(err, true));
        return commandLine.execute(words);
    }

    private void count(int cluster, int refcount) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.seek(COUNTS + 2L * cluster);
            file.writeShort(refcount);
        }
    }

    private void grow(long size) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(Math.max(size, file.length() + 512));
        }
    }
}
