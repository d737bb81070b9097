package io.qfuse.it;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.w3c.dom.Document;
import org.w3c.dom.NodeList;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/** That the benchmark works and leaves nothing behind; not how fast anything is. */
@Tag("system")
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BenchTest {

    private static final Path BENCH = Qfuse.TREE.resolve("bench.sh");

    @RegisterExtension
    final Scratch scratch = new Scratch();

    @Test
    void servers_are_compared_in_a_table_and_in_json() throws Exception {
        String out = bench(
                "--quick",
                "--json",
                scratch.path("figures.json"),
                "--only",
                "4 KiB random read, 4 jobs",
                "--only",
                "cold");
        assertThat(out)
                .contains("| workload | unit | limit | qfuse | QEMU | qfuse / limit | qfuse / QEMU |")
                .containsPattern(row("4 KiB random read, 4 jobs", "IOPS", 3))
                .containsPattern(row("buffered 1 MiB sequential read, cold", "MB/s", 3))
                .containsPattern("heap allocated for each 4 KiB randread: \\d+\\.\\d bytes")
                .containsPattern("memory of the qfuse server: \\d+ MiB resident");
        assertThat(texts(scratch.path("figures.json")))
                .contains("machine", "processors", "4 KiB random read, 4 jobs", "limit", "qfuse", "QEMU");
    }

    @Test
    void every_kind_of_image_and_of_measurement_has_its_row() throws Exception {
        String out = bench(
                "--full",
                "--against",
                "qsd",
                "--only",
                "copy-on-write",
                "--only",
                "large image, memory",
                "--only",
                "zstd, 1 MiB sequential read, depth 4",
                "--only",
                "ext4");
        assertThat(out)
                .contains("| workload | unit | qfuse | QEMU | qfuse / QEMU |")
                .containsPattern(row("three-layer chain, 4 KiB copy-on-write, depth 32", "IOPS", 2))
                .containsPattern(row("compressed by zstd, 1 MiB sequential read, depth 4", "MB/s", 2))
                .containsPattern(row("large image, memory", "MiB, less is better", 2))
                .containsPattern(row("ext4 on a loop device, untar and rm -r", "s, less is better", 2));
    }

    @Test
    void what_grows_is_drawn() throws Exception {
        bench("--plots", scratch.path("plots"), "--against", "limit", "--only", "by queue depth: 1");
        Document plot = DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(scratch.path("plots").resolve("queue-depth.svg").toFile());
        NodeList lines = plot.getElementsByTagName("polyline");
        assertThat(lines.getLength()).as("one for each server").isEqualTo(2);
        assertThat(lines.item(0).getAttributes().getNamedItem("points").getNodeValue())
                .as("a place for depth 1 and for depth 16")
                .matches("(\\d+\\.\\d,\\d+\\.\\d ){2}");
        assertThat(scratch.path("plots").resolve("chain-length.svg"))
                .as("not measured")
                .doesNotExist();
    }

    @Test
    void memory_is_watched_over_many_requests() throws Exception {
        String out = bench("--endurance", "--requests", 1000);
        assertThat(out)
                .containsPattern("\\| 1000 \\| \\d+ \\| \\d+ \\| \\d+ \\|")
                .contains("qemu-img check: No errors");
    }

    @Test
    void an_interrupt_in_the_middle_leaves_nothing() throws Exception {
        Path images = scratch.directory("images");
        Process bench = scratch.shell()
                .start(BENCH, "--dir", images, "--size", "16M", "--time", 1, "--only", "4 KiB mixed", "--only", "XFS");
        Await.until(
                "servers are measured",
                () -> scratch.mounts().size() == 3
                        && !scratch.processesRunning("fio").isEmpty());
        bench.destroy();
        assertThat(bench.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(bench.exitValue()).isEqualTo(143);
        assertNothingLeft(images);
    }

    @Test
    void an_interrupt_lets_go_of_the_loop_device() throws Exception {
        Path images = scratch.directory("images");
        Process bench =
                scratch.shell().start(BENCH, "--dir", images, "--size", "16M", "--against", "limit", "--only", "XFS");
        Await.until("a file system is mounted", () -> scratch.mounts().size() == 2);
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
        assertThat(scratch.shell().run(BENCH, "--against", "all").ended(1).err())
                .contains("--against");
    }

    /** Runs one short round on small images, and returns what it prints. */
    private String bench(Object... words) throws IOException {
        Path images = scratch.directory("images");
        Object[] shortly = {BENCH, "--dir", images, "--size", "16M", "--time", "0.2", "--rounds", 1};
        String out = scratch.shell()
                .run(Stream.concat(Stream.of(shortly), Stream.of(words)).toArray())
                .ok()
                .out();
        assertNothingLeft(images);
        return out;
    }

    /** A row of the table with figures of so many servers, and ratios for all but qfuse itself. */
    private static String row(String name, String unit, int servers) {
        String figure = "[\\d.]*[1-9][\\d.]*";
        return "\\| " + name + " \\| " + unit
                + (" \\| " + figure + " \\(" + figure + "–" + figure + "\\)").repeat(servers)
                + " \\| \\d+\\.\\d\\d".repeat(servers - 1)
                + " \\|\n";
    }

    /** The names and strings of a JSON file, which has to be whole. */
    private static List<String> texts(Path json) throws IOException {
        Stream.Builder<String> found = Stream.builder();
        try (JsonParser parser =
                new JsonFactory().createParser(ObjectReadContext.empty(), Files.readString(json, UTF_8))) {
            for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
                if (token == JsonToken.PROPERTY_NAME || token == JsonToken.VALUE_STRING) {
                    found.add(parser.getString());
                }
            }
        }
        return found.build().toList();
    }

    private void assertNothingLeft(Path images) throws IOException {
        assertThat(scratch.mounts()).isEmpty();
        assertThat(scratch.loopDevices()).isEmpty();
        assertThat(scratch.processes()).isEmpty();
        try (Stream<Path> files = Files.list(images)) {
            assertThat(files).isEmpty();
        }
    }
}
