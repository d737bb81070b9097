package io.qfuse.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Options for what is told of a work that takes long, shared by the verbs that do. */
final class ProgressOptions {

    /** For whom it is told. */
    enum Reader {
        HUMAN,
        JSON
    }

    /** Where the kernel shows what stderr is: a terminal has its name below one of these. */
    private static final Path STDERR = Path.of("/proc/self/fd/2");

    @Option(names = "-p", description = "Tell how far it is on stderr, also where that is no terminal.")
    private boolean always;

    @Option(
            names = {"-q", "--quiet"},
            description = "Do not tell how far it is; errors are still told.")
    private boolean never;

    @Option(
            names = "--progress",
            paramLabel = "human|json",
            description =
                    "How to tell how far it is: a line that changes (the default), or an object a line, to whatever"
                            + " stderr is, with the fields done and total (bytes), elapsed_ns, bytes_per_second and, where it can be"
                            + " told, left_ns.")
    private Reader reader = Reader.HUMAN;

    /** A meter as was asked for; it tells nothing of what takes less than half a second. */
    ProgressMeter meter(PrintWriter err) {
        if (never || !(always || reader == Reader.JSON || isTerminal())) {
            return new ProgressMeter(err, ProgressMeter.Style.NONE);
        }
        return new ProgressMeter(err, reader == Reader.JSON ? ProgressMeter.Style.JSON : ProgressMeter.Style.LINE);
    }

    private static boolean isTerminal() {
        try {
            String name = Files.readSymbolicLink(STDERR).toString();
            return name.startsWith("/dev/pts/") || name.startsWith("/dev/tty") || name.equals("/dev/console");
        } catch (IOException e) {
            return false;
        }
    }
}
