package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** That the benchmark works and leaves nothing behind; not how fast anything is. */
@Tag("system")
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BenchTest {

    private static final Path BENCH = Qfuse.TREE.resolve("bench.sh");

    @RegisterExtension
    final Scratch scratch = new Scratch();

    @Test
    void servers_are_compared_in_a_table() throws Exception {
        Path images = scratch.directory("images");
        String out = scratch.shell()
                .run(
                        BENCH,
                        "--dir",
                        images,
                        "--size",
                        "16M",
                        "--time",
                        1,
                        "--rounds",
                        1,
                        "--only",
                        "4 KiB random read, depth 32")
                .ok()
                .out();
        assertThat(out)
                .containsPattern("\\| 4 KiB random read, depth 32 \\| IOPS (\\| [1-9]\\d* \\(\\d+–\\d+\\) ){3}"
                        + "\\| \\d+\\.\\d\\d \\| \\d+\\.\\d\\d \\|")
                .containsPattern("heap allocated for each 4 KiB randread: \\d+\\.\\d bytes")
                .containsPattern("memory of the qfuse server: \\d+ MiB resident");
        assertNothingLeft(images);
    }

    @Test
    void images_that_are_compressed_are_compared() throws Exception {
        Path images = scratch.directory("images");
        String out = scratch.shell()
                .run(
                        BENCH,
                        "--dir",
                        images,
                        "--size",
                        "16M",
                        "--time",
                        1,
                        "--rounds",
                        1,
                        "--only",
                        "sequential read, depth 4")
                .ok()
                .out();
        for (String compression : List.of("zlib", "zstd")) {
            assertThat(out)
                    .containsPattern("\\| compressed by " + compression + ", 1 MiB sequential read, depth 4 \\| MB/s "
                            + "(\\| [1-9]\\d* \\(\\d+–\\d+\\) ){3}");
        }
        assertNothingLeft(images);
    }

    @Test
    void memory_is_watched_over_many_requests() throws Exception {
        Path images = scratch.directory("images");
        String out = scratch.shell()
                .run(BENCH, "--endurance", "--dir", images, "--size", "16M", "--requests", 1000)
                .ok()
                .out();
        assertThat(out)
                .containsPattern("\\| 1000 \\| \\d+ \\| \\d+ \\| \\d+ \\|")
                .contains("qemu-img check: No errors");
        assertNothingLeft(images);
    }

    @Test
    void an_interrupt_in_the_middle_leaves_nothing() throws Exception {
        Path images = scratch.directory("images");
        Process bench = scratch.shell().start(BENCH, "--dir", images, "--size", "16M", "--time", 2);
        Await.until(
                "servers are measured",
                () -> scratch.mounts().size() == 5
                        && !scratch.processesRunning("fio").isEmpty());
        bench.destroy();
        assertThat(bench.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(bench.exitValue()).isEqualTo(143);
        assertNothingLeft(images);
    }

    @Test
    void unknown_words_are_refused() {
        scratch.shell().run(BENCH, "--fast").ended(2);
        assertThat(scratch.shell().run(BENCH, "--only", "nothing").ended(1).err())
                .contains("nothing");
    }

    private void assertNothingLeft(Path images) throws IOException {
        assertThat(scratch.mounts()).isEmpty();
        assertThat(scratch.processes()).isEmpty();
        try (Stream<Path> files = Files.list(images)) {
            assertThat(files).isEmpty();
        }
    }
}
