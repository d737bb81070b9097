package io.qfuse.cli;

import io.qfuse.qcow2.ImageInfo;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code qfuse info}: what an image says of itself. */
@Command(
        name = "info",
        description = "Tells what an image says of itself. It may be in use; nothing that it refers to is opened.")
final class InfoCommand implements Callable<Integer> {

    /** For whom the facts are printed. */
    enum Output {
        HUMAN,
        JSON
    }

    @Parameters(paramLabel = "FILE", description = "The image.")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private Path file;

    @Option(
            names = "--output",
            paramLabel = "human|json",
            description = "Lines for people (the default), or an object as qemu-img info --output=json prints it.")
    private Output output = Output.HUMAN;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        ImageInfo info = ImageInfo.read(file);
        PrintWriter out = spec.commandLine().getOut();
        out.print(output == Output.JSON ? info.json() : info.text());
        out.flush();
        return 0;
    }
}
