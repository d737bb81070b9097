package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code qfuse convert} as a user calls it: what it makes, and that what it does not finish leaves nothing behind. */
@Tag("system")
class ConvertCommandTest {

    private static final int MIB = 1 << 20;

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path raw = Path.of("");

    @BeforeEach
    void make_a_disk() throws IOException {
        scratch.directory("out");
        byte[] bytes = new byte[3 * MIB];
        new Random(1).nextBytes(bytes);
        raw = Files.write(scratch.path("disk.raw"), bytes);
    }

    private String refused(Object... words) {
        Result result = scratch.qfuse().run(words).ended(1);
        assertThat(result.out()).isEmpty();
        assertThat(result.err()).startsWith("qfuse: ").hasLineCount(1);
        return result.err();
    }

    private Stream<String> made() throws IOException {
        try (Stream<Path> files = Files.list(scratch.path("out"))) {
            return files.map(file -> file.getFileName().toString()).toList().stream();
        }
    }

    @Test
    void the_words_of_qemu_img_do_what_they_do_there() {
        scratch.qfuse()
                .ok(
                        "convert",
                        "-q",
                        "-m",
                        "2",
                        "-c",
                        "-f",
                        "raw",
                        "-O",
                        "qcow2",
                        "-o",
                        "compression_type=zstd",
                        raw,
                        "out/a");
        scratch.qemuImg().check(scratch.path("out/a"));
        scratch.qemuImg().same("raw", raw, "qcow2", scratch.path("out/a"));
        scratch.qfuse().ok("convert", "-O", "qcow2", "-S", "64k", "out/a", "out/b");
        scratch.qfuse().ok("convert", "out/b", "out/c");
        scratch.qemuImg().same("raw", raw, "raw", scratch.path("out/c"));
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "out/d", "4M");
        scratch.qfuse().ok("convert", "-n", "--target-is-zero", "-O", "qcow2", "out/c", "out/d");
        scratch.qemuImg().check(scratch.path("out/d"));
        scratch.qemuImg().ok("snapshot", "-c", "early", "out/b");
        scratch.qfuse().ok("convert", "-l", "snapshot.name=early", "out/b", "out/e");
        scratch.qemuImg().same("raw", raw, "raw", scratch.path("out/e"));
        scratch.qfuse().ok("convert", "-O", "qcow2", "-B", "c", "-F", "raw", "out/b", "out/f");
        scratch.qemuImg().same("raw", raw, "qcow2", scratch.path("out/f"));
    }

    @Test
    void what_is_there_is_replaced_only_by_force_and_never_while_in_use() throws IOException {
        Path there = Files.writeString(scratch.path("out/there"), "mine");
        assertThat(refused("convert", raw, there)).contains(there.toString(), "already", "--force");
        assertThat(there).hasContent("mine");
        scratch.qfuse().ok("convert", "--force", raw, there);
        assertThat(Files.mismatch(raw, there)).isEqualTo(-1);

        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "out/image", "3M");
        Path mountPoint = scratch.directory("mnt");
        scratch.qfuse().ok("mount", "out/image", mountPoint);
        assertThat(refused("convert", "--force", "-O", "qcow2", raw, "out/image"))
                .contains("out/image", "lock");
        assertThat(refused("convert", "-n", "-O", "qcow2", raw, "out/image")).contains("out/image", "lock");
        assertThat(refused("convert", "out/image", "out/x")).contains("out/image", "lock");
        scratch.qfuse().ok("convert", "-U", "out/image", "out/x");
        scratch.qfuse().ok("unmount", mountPoint);
        assertThat(made()).containsExactlyInAnyOrder("there", "image", "x");
    }

    @Test
    void a_source_is_not_its_own_target() {
        assertThat(refused("convert", "--force", raw, raw)).contains(raw.toString(), "own target");
        assertThat(refused("convert", "-n", raw, raw)).contains(raw.toString(), "own target");
    }

    @Test
    void a_target_that_is_too_small_is_not_touched() throws IOException {
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "out/small", "1M");
        byte[] before = Files.readAllBytes(scratch.path("out/small"));
        assertThat(refused("convert", "-n", "-O", "qcow2", raw, "out/small"))
                .contains("out/small", "1048576", "3145728");
        assertThat(Files.readAllBytes(scratch.path("out/small"))).isEqualTo(before);
    }

    @ParameterizedTest
    @CsvSource({"-O raw", "-O qcow2", "-c -O qcow2", "-O qcow2 -o preallocation=metadata"})
    void a_full_host_gives_one_line_and_no_file(String words) throws IOException {
        Path small = scratch.directory("small");
        scratch.shell()
                .run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small)
                .ok();
        Object[] command = Stream.of("convert " + words + " " + raw + " small/x")
                .flatMap(line -> Stream.of(line.split(" ")))
                .toArray();
        assertThat(refused(command)).contains("small", "No space left on device");
        assertThat(small).isEmptyDirectory();
        scratch.shell().run("umount", small).ok();
    }

    @ParameterizedTest
    @ValueSource(strings = {"INT", "TERM", "HUP"})
    void a_signal_leaves_nothing(String signal) throws Exception {
        Path large = scratch.path("large.raw");
        scratch.shell().run("sh", "-c", "head -c 600M /dev/urandom > large.raw").ok();
        Process process = scratch.qfuse().start("convert", "-c", "-m", "1", "-O", "qcow2", large, "out/x");
        Await.until("it has begun", () -> made().findAny().isPresent());
        assertThat(scratch.path("out/x")).doesNotExist();
        scratch.shell().run("kill", "-" + signal, process.pid()).ok();
        assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).isGreaterThan(128);
        assertThat(made()).isEmpty();
    }

    @Test
    void a_block_device_is_written_in_place() throws Exception {
        Files.write(scratch.path("space"), new byte[4 * MIB]);
        String loop = scratch.shell()
                .run("losetup", "-f", "--show", scratch.path("space"))
                .ok()
                .out()
                .strip();
        scratch.qfuse().ok("convert", "-f", "raw", raw, loop);
        scratch.shell().run("losetup", "-d", loop).ok();
        scratch.shell().script("head -c 3M space | cmp - disk.raw").ok();
    }

    @Test
    void progress_is_told_where_it_is_asked_for() {
        scratch.shell().script("head -c 200M /dev/urandom > large.raw").ok();
        String told = scratch.qfuse()
                .ok("convert", "-c", "-O", "qcow2", "--progress=json", "large.raw", "out/x")
                .err();
        assertThat(told.lines()).isNotEmpty().allMatch(line -> line.startsWith("{\"done\":") && line.endsWith("}"));
        assertThat(told).contains("{\"done\":209715200,\"total\":209715200,");
        assertThat(scratch.qfuse()
                        .ok("convert", "-O", "qcow2", "large.raw", "out/y")
                        .err())
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "convert disk.raw",
                "convert -O vmdk disk.raw out/x",
                "convert -c disk.raw out/x",
                "convert -O qcow2 -B disk.raw disk.raw out/x",
                "convert -O qcow2 -o size=4M disk.raw out/x",
                "convert -O qcow2 -o wings=2 disk.raw out/x",
                "convert -S 1000 disk.raw out/x",
                "convert -m 0 disk.raw out/x",
                "convert --target-is-zero disk.raw out/x"
            })
    void a_wrong_command_line_makes_nothing(String line) throws IOException {
        Result result = scratch.qfuse().run((Object[]) line.split(" ")).ended(2);
        assertThat(result.err()).startsWith("qfuse: convert: ").hasLineCount(1);
        assertThat(made()).isEmpty();
    }
}
