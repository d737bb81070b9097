package io.qfuse.it;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("system")
class LauncherTest {

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    @Test
    void it_works_from_any_directory_and_says_nothing_more_than_asked() {
        Result version = new Qfuse(scratch.shell().in(Path.of("/")), Qfuse.LAUNCHER).ok("--version");
        assertThat(version.out()).startsWith("qfuse ");
        assertThat(version.err()).isEmpty();
    }

    @Test
    void it_works_through_symbolic_links() throws IOException {
        Path first = Files.createSymbolicLink(scratch.path("first"), Qfuse.LAUNCHER);
        Path second = Files.createSymbolicLink(scratch.directory("a b").resolve("second"), first);
        new Qfuse(scratch.shell(), second).ok("--version");
    }

    @Test
    void an_installed_copy_runs_its_own_jars_from_a_path_with_spaces() throws IOException {
        Path launcher = Qfuse.install(scratch.shell(), scratch.path("in stalled"));
        assertThat(new Qfuse(scratch.shell(), launcher).ok("--version").out()).startsWith("qfuse ");
    }

    @Test
    void an_installed_copy_without_its_jars_says_so() throws IOException {
        Path launcher = Files.copy(Qfuse.LAUNCHER, scratch.path("qfuse"));
        Result result = new Qfuse(scratch.shell(), launcher).run("--version").ended(1);
        assertThat(result.err()).startsWith("qfuse: ").contains("lib/qfuse.jar").hasLineCount(1);
    }

    @ParameterizedTest
    @MethodSource("homes")
    void every_jdk_that_is_installed_runs_it_without_a_word(Path home) {
        Shell shell = scratch.shell().with("JAVA_HOME", home.toString());
        Result result = new Qfuse(shell, Qfuse.LAUNCHER).ok("--version");
        assertThat(result.err()).isEmpty();
    }

    @Test
    void first_uses_of_a_fresh_tree_at_the_same_time_build_it_once() throws Exception {
        Path tree = scratch.directory("fresh tree");
        for (String part :
                List.of("pom.xml", "qfuse", ".mvn", "cache", "qcow2-core", "fuse-mount", "cli", "integration")) {
            scratch.shell().run("cp", "-r", Qfuse.TREE.resolve(part), tree).ok();
        }
        scratch.shell()
                .run("find", tree, "-name", "target", "-prune", "-exec", "rm", "-r", "{}", "+")
                .ok();
        List<Process> runs = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            runs.add(scratch.shell().start(tree.resolve("qfuse"), "--version"));
        }
        StringBuilder said = new StringBuilder();
        for (Process run : runs) {
            assertThat(run.waitFor()).isZero();
            assertThat(run.getInputStream().readAllBytes()).isNotEmpty();
            said.append(new String(run.getErrorStream().readAllBytes(), UTF_8));
        }
        assertThat(said.toString()).hasLineCount(1).startsWith("qfuse: building the jars");
    }

    static Stream<Path> homes() throws IOException {
        try (Stream<Path> homes = Files.list(Path.of("/usr/lib/jvm"))) {
            return homes.filter(home -> Files.isExecutable(home.resolve("bin/java"))).toList().stream();
        }
    }
}
