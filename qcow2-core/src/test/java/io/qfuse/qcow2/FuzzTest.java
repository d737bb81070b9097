package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Runs the coverage-guided fuzzer for a bounded time, in a JVM of its own with a small heap, from the kept inputs on.
 *
 * <p>What it finds fails the test, with the input as a line for a named test in {@link FuzzCorpusTest}. The
 * inputs that it has gathered stay in {@code target/fuzz} until the next run, for whoever wants to keep more of them.
 */
@Tag("fuzz")
final class FuzzTest {

    private static final int SECONDS =
            Integer.getInteger("qfuse.fuzz.seconds", Boolean.getBoolean("qfuse.long") ? 900 : 60);
    private static final Path KEPT = Path.of("target", "fuzz");

    @TempDir
    private Path directory;

    @ParameterizedTest
    @EnumSource
    void coverage_guided_inputs_do_nothing_that_they_must_not(FuzzTarget target) throws Exception {
        Path corpus = Files.createDirectories(directory.resolve("corpus"));
        List<String> inputs = target.corpus();
        for (int i = 0; i < inputs.size(); i++) {
            Files.write(corpus.resolve("kept-" + i), FuzzInput.parse(inputs.get(i)));
        }
        Path log = Files.createDirectories(KEPT).resolve(target + ".log");
        Process fuzzer = new ProcessBuilder(command(target, corpus))
                .directory(directory.toFile())
                .redirectInput(Redirect.from(new File("/dev/null")))
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        try {
            boolean ended = fuzzer.waitFor(target.secondsOf(SECONDS) + 120L, TimeUnit.SECONDS);
            assertThat(ended).as("the fuzzer ends; see %s", log).isTrue();
            assertThat(fuzzer.exitValue()).as(() -> finding(log)).isZero();
        } finally {
            fuzzer.destroyForcibly().waitFor();
            keep(corpus, KEPT.resolve(target + ".hex"));
        }
    }

    private List<String> command(FuzzTarget target, Path corpus) {
        return List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-Djava.io.tmpdir=" + directory,
                "-cp",
                System.getProperty("java.class.path"),
                "com.code_intelligence.jazzer.Jazzer",
                "--target_class=" + target.target().getName(),
                "--instrumentation_includes=io.qfuse.**",
                "--custom_hook_includes=io.qfuse.**",
                "--reproducer_path=" + directory,
                "-artifact_prefix=" + directory + "/",
                "-max_total_time=" + target.secondsOf(SECONDS),
                "-max_len=4096",
                "-timeout=5",
                "-rss_limit_mb=1024",
                corpus.toString());
    }

    /** The end of the log, and the input that the fuzzer stored. */
    private String finding(Path log) {
        try {
            List<String> lines = Files.readAllLines(log, StandardCharsets.ISO_8859_1);
            StringBuilder text =
                    new StringBuilder(String.join("\n", lines.subList(Math.max(0, lines.size() - 60), lines.size())));
            try (var artifacts = Files.newDirectoryStream(directory, "{crash,timeout,oom}-*")) {
                for (Path artifact : artifacts) {
                    text.append("\ninput: ").append(FuzzInput.format(Files.readAllBytes(artifact)));
                }
            }
            return text.toString();
        } catch (IOException e) {
            return log + " cannot be read: " + e;
        }
    }

    private static void keep(Path corpus, Path file) throws IOException {
        try (var inputs = Files.list(corpus)) {
            List<String> lines = inputs.map(FuzzTest::line).sorted().toList();
            Files.write(file, lines);
        }
    }

    private static String line(Path input) {
        try {
            return FuzzInput.format(Files.readAllBytes(input));
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
