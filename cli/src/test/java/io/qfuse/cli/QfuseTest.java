package io.qfuse.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class QfuseTest {

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @Test
    void help_tells_the_exit_codes() {
        assertThat(qfuse("--help")).isZero();
        assertThat(out.toString()).contains("Exit codes:", "2  ");
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void version_names_the_program() {
        assertThat(qfuse("--version")).isZero();
        assertThat(out.toString()).startsWith("qfuse ");
    }

    @Test
    void no_command_is_a_wrong_command_line() {
        assertThat(qfuse()).isEqualTo(2);
        assertThat(err.toString()).startsWith("qfuse: a command is missing");
    }

    @Test
    void an_unknown_command_is_a_wrong_command_line() {
        assertThat(qfuse("fly")).isEqualTo(2);
        assertThat(err.toString()).startsWith("qfuse: ").contains("fly");
    }

    private int qfuse(String... args) {
        CommandLine commandLine = Qfuse.commandLine();
        commandLine.setOut(new PrintWriter(out, true));
        commandLine.setErr(new PrintWriter(err, true));
        return commandLine.execute(args);
    }
}
