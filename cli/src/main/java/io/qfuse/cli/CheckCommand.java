package io.qfuse.cli;

import io.qfuse.qcow2.CheckOptions;
import io.qfuse.qcow2.ImageCheck;
import io.qfuse.qcow2.Images;
import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.check.RequestedRepair.Extent;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code qfuse check}: what is wrong with an image, and its repair. */
@Command(
        name = "check",
        description = "Checks the tables and refcounts of an image, and repairs them where that is asked for. Neither a"
                + " backing file nor a passphrase is needed.",
        exitCodeListHeading = "%nExit codes, as those of qemu-img check:%n",
        exitCodeList = {
            "0:nothing is wrong (any more)",
            "1:the check failed; one line on stderr says why",
            "2:the image is corrupt; or the command line was wrong, which stderr says",
            "3:there are leaked clusters, and nothing worse",
            "63:images of this format cannot be checked"
        })
final class CheckCommand implements Callable<Integer> {

    private static final int CORRUPT = 2;
    private static final int LEAKS = 3;
    private static final int UNSUPPORTED_FORMAT = 63;

    @Parameters(paramLabel = "FILE", description = "The image.")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private Path file;

    @Option(
            names = {"-r", "--repair"},
            paramLabel = "leaks|all",
            description =
                    "Repair leaked clusters, or all that can be. Nobody may use the image meanwhile. A repair that"
                            + " is cut off, by power loss too, leaves the image no worse.")
    private @Nullable Extent repair;

    @Option(
            names = "--output",
            paramLabel = "human|json",
            description = "Lines for people (the default), or an object as qemu-img check --output=json prints it.")
    private InfoCommand.Output output = InfoCommand.Output.HUMAN;

    @Option(names = "-f", paramLabel = "qcow2|raw", description = "The format; found out where it is not given.")
    private @Nullable ImageFormat format;

    @Option(
            names = {"-U", "--force-share"},
            description = "Check an image that another program is writing; what changes meanwhile may look damaged.")
    private boolean forceShare;

    @Option(
            names = {"-q", "--quiet"},
            description = "Print errors only.")
    private boolean quiet;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        if (format == ImageFormat.RAW) {
            return unsupported();
        }
        ImageCheck check;
        try {
            check = Images.check(file, options());
        } catch (Qcow2Exception e) {
            if (e.kind() == Qcow2Exception.Kind.NOT_QCOW2 && format == null) {
                return unsupported();
            }
            throw e;
        }
        if (!quiet) {
            PrintWriter out = spec.commandLine().getOut();
            out.print(output == InfoCommand.Output.JSON ? check.json() : check.text());
            out.flush();
        }
        if (!check.left().isSafe()) {
            return CORRUPT;
        }
        return check.left().isClean() ? 0 : LEAKS;
    }

    private CheckOptions options() {
        if (repair != null && forceShare) {
            throw new ParameterException(
                    spec.commandLine(),
                    "--force-share and --repair exclude each other: a repair needs the image for itself");
        }
        return new CheckOptions(repair, forceShare);
    }

    private int unsupported() {
        PrintWriter err = spec.commandLine().getErr();
        err.println(Complaint.line("", new Failure(file, "raw images hold nothing that could be checked")));
        err.flush();
        return UNSUPPORTED_FORMAT;
    }
}
