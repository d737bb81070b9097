package io.qfuse.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

class ReadmeOptionsTest {

    private static final Path README = Path.of("..", "README.md");

    @Test
    void the_readme_has_every_option_of_mount() throws IOException {
        String readme = Files.readString(README);
        CommandLine mount = new CommandLine(new MountCommand());
        for (OptionSpec option : mount.getCommandSpec().options()) {
            if (!option.usageHelp() && !option.versionHelp()) {
                assertThat(readme).contains("`" + option.longestName());
            }
        }
    }

    @Test
    void the_readme_has_every_command() throws IOException {
        String readme = Files.readString(README);
        for (String command : Qfuse.commandLine().getSubcommands().keySet()) {
            if (!command.equals("umount")) {
                assertThat(readme).contains("`qfuse " + command);
            }
        }
    }
}
