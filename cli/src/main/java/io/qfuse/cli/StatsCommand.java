package io.qfuse.cli;

import io.qfuse.fuse.Mount;
import io.qfuse.fuse.MountReport;
import io.qfuse.fuse.MountTable;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code qfuse stats}: what a mount has done, so that its user can see why it is slow. */
@Command(
        name = "stats",
        description = {
            "Tells what a mount has done since it began: requests and how long they took in the server, hits of its caches,"
                    + " calls to the host, checkpoints. Only root and the user who has mounted are told."
        })
final class StatsCommand implements Callable<Integer> {

    @Parameters(paramLabel = "MOUNTPOINT", description = "The directory or file that images are mounted at.")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private Path mountPoint;

    @Option(names = "--json", description = "Print an object for programs; docs/performance.md tells its fields.")
    private boolean json;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        Path path = mountPoint.toAbsolutePath();
        MountTable.Entry mount = Mount.at(path).orElseThrow(() -> new Failure(path, "nothing is mounted there"));
        if (!mount.isOurs()) {
            throw new Failure(path, "is no mount of qfuse, but of type " + mount.type());
        }
        MountReport report = Mount.report(path);
        PrintWriter out = spec.commandLine().getOut();
        out.print(json ? StatsJson.of(report) : StatsText.of(report));
        out.flush();
        return 0;
    }
}
