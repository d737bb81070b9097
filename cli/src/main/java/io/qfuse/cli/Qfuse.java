package io.qfuse.cli;

import java.io.PrintWriter;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The program {@code qfuse}: the verbs, what they share, and how they end. */
@Command(
        name = "qfuse",
        description = "Serves qcow2 disk images as raw files.",
        versionProvider = Version.class,
        synopsisSubcommandLabel = "COMMAND",
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:all went well",
            "1:it failed; one line on stderr says what and why",
            "2:the command line was wrong"
        },
        subcommands = {
            MountCommand.class,
            UnmountCommand.class,
            CreateCommand.class,
            InfoCommand.class,
            ConvertCommand.class,
            CheckCommand.class,
            MapCommand.class,
            StatsCommand.class,
            DemoCommand.class,
            CommandLine.HelpCommand.class
        },
        scope = ScopeType.INHERIT,
        mixinStandardHelpOptions = true,
        sortOptions = false)
public final class Qfuse implements Runnable {

    /** It failed. */
    static final int FAILED = 1;

    /** The command line was wrong. */
    static final int USAGE = 2;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Option(
            names = "--verbose",
            scope = ScopeType.INHERIT,
            description = "On failure, also print where in the program it came from; for mount, log failed requests.")
    private boolean verbose;

    private Qfuse() {}

    /** Runs one command and leaves with its exit code. */
    public static void main(String[] args) {
        System.exit(commandLine().execute(args));
    }

    /** The whole program as picocli sees it; a new one for each call. */
    static CommandLine commandLine() {
        Qfuse program = new Qfuse();
        IParameterExceptionHandler usage = (e, args) -> {
            String command = e.getCommandLine().getCommandSpec().qualifiedName();
            PrintWriter err = e.getCommandLine().getErr();
            err.println(Complaint.line(command, e) + " (try '" + command + " --help')");
            err.flush();
            return USAGE;
        };
        IExecutionExceptionHandler failure = (e, commandLine, result) -> {
            Complaint.print(commandLine.getErr(), e, program.verbose);
            return FAILED;
        };
        return new CommandLine(program)
                .setParameterExceptionHandler(usage)
                .setExecutionExceptionHandler(failure)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExpandAtFiles(false)
                .setUsageHelpAutoWidth(true);
    }

    /** Whether the user wants to know where in the program a failure came from. */
    static boolean verbose(CommandSpec command) {
        return ((Qfuse) command.root().userObject()).verbose;
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing");
    }
}
