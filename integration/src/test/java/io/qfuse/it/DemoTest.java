package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("system")
class DemoTest {

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    @Test
    void the_demo_shows_a_partition_in_a_raw_file_and_leaves_nothing_behind() throws IOException {
        Result demo = scratch.qfuse().ok("demo");
        assertThat(demo.err()).isEmpty();
        assertThat(demo.out()).contains("qfuse create", "qfuse mount", "Disklabel type: dos", "Linux", "qfuse unmount");
        assertThat(scratch.path("tmp")).isEmptyDirectory();
        assertThat(scratch.mounts()).isEmpty();
        assertThat(scratch.processesRunning("java")).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"INT, qfuse create", "INT, qfuse mount", "TERM, qfuse mount", "INT, After writing", "TERM, fdisk"})
    void a_demo_that_is_interrupted_leaves_nothing_behind_either(String signal, String said) throws Exception {
        Process demo = scratch.qfuse().start("demo");
        try (BufferedReader out = demo.inputReader()) {
            for (String line = out.readLine(); line != null && !line.contains(said); line = out.readLine()) {
                // The demo goes on to what is waited for.
            }
            scratch.shell().run("kill", "-" + signal, demo.pid()).ok();
            out.transferTo(Writer.nullWriter());
        }
        assertThat(demo.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(demo.exitValue()).isEqualTo(signal.equals("INT") ? 130 : 143);
        assertThat(scratch.path("tmp")).isEmptyDirectory();
        assertThat(scratch.mounts()).isEmpty();
        assertThat(scratch.processesRunning("java")).isEmpty();
    }
}
