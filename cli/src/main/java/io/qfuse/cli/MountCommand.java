package io.qfuse.cli;

import io.qfuse.fuse.MountOptions;
import io.qfuse.fuse.MountOptions.AllowOther;
import io.qfuse.fuse.Transport;
import io.qfuse.qcow2.OpenOptions;
import io.qfuse.qcow2.OpenOptions.Discard;
import io.qfuse.qcow2.Passphrase;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code qfuse mount}: puts images at a mount point and serves them. */
@Command(
        name = "mount",
        description = {
            "Serves each IMAGE as the raw file MOUNTPOINT/NAME.raw, NAME being its file name without .qcow2. Where"
                    + " MOUNTPOINT is a regular file, the one image appears at that very path.",
            "Returns when the raw files can be read; a process in the background goes on to serve them, until"
                    + " 'qfuse unmount MOUNTPOINT', 'umount', or a SIGINT, SIGTERM or SIGHUP to it."
        })
final class MountCommand implements Callable<Integer> {

    @Parameters(
            arity = "2..*",
            paramLabel = "IMAGE... MOUNTPOINT",
            hideParamSyntax = true,
            description = "The images, and where to put them.")
    private List<Path> paths = new ArrayList<>();

    @Option(names = "--read-only", description = "Nothing can be written to the raw files, nor to the images.")
    private boolean readOnly;

    @Option(names = "--foreground", description = "Serve in this process, and return after the unmount.")
    private boolean foreground;

    @Option(
            names = "--allow-other",
            arity = "0..1",
            fallbackValue = "on",
            paramLabel = "auto|on|off",
            description = "Whether other users may use the mount, as far as the permission bits let them: where it is"
                    + " permitted (auto, the default), or else fail (on, also without a value), or no (off).")
    private AllowOther allowOther = AllowOther.AUTO;

    @Option(
            names = "-o",
            paramLabel = "WORD,...",
            description = "Words for mounting: ro, rw, allow_other, default_permissions, uid=N, gid=N, umask=OCTAL,"
                    + " fsname=NAME, subtype=NAME, nosuid, suid, nodev, dev, noexec, exec, sync, async, dirsync,"
                    + " noatime, atime, defaults.")
    private List<String> words = new ArrayList<>();

    @Option(
            names = "--discard",
            paramLabel = "unmap|ignore",
            description =
                    "What becomes of host space where a hole is punched into a raw file: it is given back once that"
                            + " is durable (unmap, the default), or stays with the image (ignore), of which no hole is punched"
                            + " then. The range reads as zeroes either way.")
    private Discard discard = Discard.UNMAP;

    @Mixin
    private ImageOptions imageOptions = new ImageOptions();

    @Option(
            names = "--snapshots",
            description =
                    "Show each internal snapshot too, read-only, as MOUNTPOINT/snapshots/ID-NAME.raw; where several"
                            + " images are mounted, as MOUNTPOINT/NAME.snapshots/ID-NAME.raw.")
    private boolean snapshots;

    @Option(
            names = "--workers",
            paramLabel = "N",
            description = "Threads that serve requests, 1 to 256 (default: one a processor, at least two). Over"
                    + " io_uring there is always one a processor.")
    private @Nullable Integer workers;

    @Option(
            names = "--transport",
            paramLabel = "kernel|io_uring|jnr-fuse",
            converter = TransportName.class,
            description =
                    "How requests come from the kernel: from /dev/fuse itself (kernel, the default), over io_uring"
                            + " (io_uring), which is faster for several programs at once, slower for one that keeps many"
                            + " requests under way, and from /dev/fuse all the same where the host has no FUSE over io_uring,"
                            + " or through libfuse2 (jnr-fuse), which is slower, takes requests of at most 128 KiB, and serves direct"
                            + " I/O of one file one at a time.")
    private Transport transport = Transport.KERNEL;

    @Option(
            names = "--pid-file",
            paramLabel = "FILE",
            description = "Write the number of the serving process there; removed at its end.")
    private @Nullable Path pidFile;

    @Option(names = "--quiet", description = "Give no hints on how it was mounted; errors are still told.")
    private boolean quiet;

    @Option(
            names = "--log-file",
            paramLabel = "FILE",
            description = "Append what the serving process has to say there, instead of dropping it.")
    private @Nullable Path logFile;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        ServeRequest request = request();
        if (!foreground && !Background.isChild()) {
            return Background.start(
                    spec.root().commandLine().getParseResult().originalArgs(), imageOptions.readsInput());
        }
        ServerLog.configure(Qfuse.verbose(spec));
        // Before the process leaves its terminal, where the passphrase may come from, and its directory.
        Optional<Passphrase> passphrase = imageOptions.readPassphrase();
        if (!foreground) {
            Posix.detach();
        }
        Server.serve(passphrase.map(request::with).orElse(request));
        return 0;
    }

    private ServeRequest request() {
        List<Path> absolute = paths.stream().map(Path::toAbsolutePath).toList();
        List<Path> images = absolute.subList(0, absolute.size() - 1);
        MountOptions mount = mountOptions();
        String forReading = imageOptions.readOnlyOption();
        if (!forReading.isEmpty() && !mount.readOnly()) {
            throw usage(forReading + " is for reading: give --read-only too");
        }
        String forOne = imageOptions.singleImageOption();
        if (!forOne.isEmpty() && images.size() > 1) {
            throw usage(forOne + " is for one image");
        }
        OpenOptions open = imageOptions.toOpen(!mount.readOnly()).withDiscard(discard);
        if (snapshots && !open.snapshot().isEmpty()) {
            throw usage("--snapshots shows all of them: give it without --snapshot");
        }
        return new ServeRequest(
                images,
                absolute.get(absolute.size() - 1),
                open,
                snapshots,
                mount,
                transport,
                Optional.ofNullable(pidFile).map(Path::toAbsolutePath),
                Optional.ofNullable(logFile).map(Path::toAbsolutePath),
                quiet);
    }

    private MountOptions mountOptions() {
        try {
            MountOptions options = MountOptions.defaults().withAllowOther(allowOther);
            for (String list : words) {
                options = options.withWords(list);
            }
            if (workers != null) {
                if (workers < 1) {
                    throw new IllegalArgumentException("--workers: " + workers + " is not between 1 and 256");
                }
                options = options.withWorkers(workers);
            }
            return readOnly ? options.withReadOnly(true) : options;
        } catch (IllegalArgumentException e) {
            throw usage(String.valueOf(e.getMessage()));
        }
    }

    private ParameterException usage(String why) {
        return new ParameterException(spec.commandLine(), why);
    }
}
