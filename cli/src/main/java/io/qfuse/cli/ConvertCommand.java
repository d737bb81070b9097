package io.qfuse.cli;

import io.qfuse.qcow2.CreateOptions;
import io.qfuse.qcow2.OpenOptions;
import io.qfuse.qcow2.Passphrase;
import io.qfuse.qcow2.transfer.Conversion;
import io.qfuse.qcow2.transfer.CopyOptions;
import io.qfuse.qcow2.transfer.ImageFormat;
import io.qfuse.qcow2.transfer.Source;
import io.qfuse.qcow2.transfer.Target;
import io.qfuse.qcow2.transfer.Target.Existing;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code qfuse convert}: copies a disk into a file of another kind. */
@Command(
        name = "convert",
        description =
                "Copies a disk, with all that it stands on, into a new raw file or qcow2 image. TARGET appears when it is"
                        + " whole; whatever goes wrong before that leaves nothing behind. A block device is written in place.")
final class ConvertCommand implements Callable<Integer> {

    @Parameters(index = "0", paramLabel = "SOURCE", description = "The image that is read.")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private Path source;

    @Parameters(index = "1", paramLabel = "TARGET", description = "The file that is made.")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private Path target;

    @Option(
            names = "-f",
            paramLabel = "qcow2|raw",
            description = "What SOURCE is; without it, a qcow2 image where it begins as one, else raw.")
    private @Nullable ImageFormat sourceFormat;

    @Option(names = "-O", paramLabel = "qcow2|raw", description = "What TARGET is to be (default: raw).")
    private ImageFormat targetFormat = ImageFormat.RAW;

    @Option(
            names = "-c",
            description = "Compress the clusters of a new qcow2 image, by compression_type of -o (zlib or zstd).")
    private boolean compressed;

    @Option(
            names = "-o",
            paramLabel = "NAME=VALUE,...",
            description = "Options of a new qcow2 image as 'qfuse create' has them, but for size.")
    private List<String> words = new ArrayList<>();

    @Option(
            names = "-B",
            paramLabel = "FILE",
            description =
                    "The backing file of a new qcow2 image, relative to its directory; it must read as that of SOURCE does,"
                            + " and only what SOURCE itself holds is copied. Needs -F.")
    private @Nullable String backing;

    @Option(names = "-F", paramLabel = "qcow2|raw", description = "The format of the backing file.")
    private @Nullable String backingFormat;

    @Option(names = "-n", description = "Write into TARGET, which is there and not smaller than the disk.")
    private boolean inPlace;

    @Option(
            names = "--target-is-zero",
            description = "With -n: TARGET reads as zeroes, so that none have to be written.")
    private boolean targetIsZero;

    @Option(names = "--force", description = "Replace TARGET where it is there already.")
    private boolean force;

    @Option(
            names = "-S",
            paramLabel = "SIZE",
            converter = ByteSize.class,
            description = "How many zeroes in a row within data take no space in TARGET (default: 4k); 0 to write all.")
    private long sparse = CopyOptions.DEFAULT_SPARSE;

    @Option(
            names = "-m",
            paramLabel = "N",
            description = "Threads at work, 1 to 256 (default: one a processor, two with -c).")
    private @Nullable Integer workers;

    @Option(
            names = "-W",
            description =
                    "Accepted for scripts; workers never wait for each other's writes, and the file is the same always.")
    @SuppressWarnings("UnusedVariable")
    private boolean unordered;

    @Option(
            names = "-l",
            paramLabel = "ID|NAME",
            description = "Copy this internal snapshot; also as snapshot.id=ID or snapshot.name=NAME.")
    private String snapshot = "";

    @Mixin
    private ImageOptions imageOptions = new ImageOptions();

    @Mixin
    private ProgressOptions progress = new ProgressOptions();

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        Target to = target();
        CopyOptions how = usable(this::howToCopy);
        Optional<Passphrase> passphrase = imageOptions.readPassphrase();
        try (Passphrase secret = passphrase.orElse(null);
                ProgressMeter meter = progress.meter(spec.commandLine().getErr())) {
            Conversion.run(source(secret), to, how, meter);
        }
        return 0;
    }

    private CopyOptions howToCopy() {
        if (workers != null && workers == 0) {
            throw new IllegalArgumentException("-m 0 leaves nobody to do the work");
        }
        return new CopyOptions(workers == null ? 0 : workers, (int) Math.min(sparse, Integer.MAX_VALUE));
    }

    private Source source(@Nullable Passphrase secret) throws IOException {
        OpenOptions open = imageOptions.toOpen(false).withPassphrase(secret);
        if (!snapshot.isEmpty()) {
            open = open.withSnapshot(snapshot.replaceFirst("^snapshot\\.(id|name)=", ""));
        }
        return new Source(source, sourceFormat == null ? ImageFormat.of(source) : sourceFormat, open);
    }

    private Target target() {
        if (targetIsZero && !inPlace) {
            throw usage("--target-is-zero is for -n");
        }
        if (targetFormat == ImageFormat.RAW
                && !(words.isEmpty() && backing == null && backingFormat == null && !compressed)) {
            throw usage("-c, -o, -B and -F are for a new qcow2 image: give -O qcow2 too");
        }
        Existing there = inPlace
                ? targetIsZero ? Existing.WRITE_OVER_ZEROES : Existing.WRITE
                : force ? Existing.REPLACE : Existing.REFUSE;
        return new Target(target, targetFormat, there, usable(this::create), compressed);
    }

    private CreateOptions create() {
        CreateOptions options = CreateOptions.parse(words);
        if (options.size() >= 0) {
            throw new IllegalArgumentException("size=" + options.size() + " is not possible: it is that of SOURCE");
        }
        if (backing != null && backingFormat != null) {
            return options.withBacking(backing, backingFormat);
        }
        if (backing != null || backingFormat != null) {
            throw new IllegalArgumentException("-B and -F go together: the format of a backing file is never guessed");
        }
        return options;
    }

    private <T> T usable(Supplier<T> options) {
        try {
            return options.get();
        } catch (IllegalArgumentException e) {
            throw usage(String.valueOf(e.getMessage()));
        }
    }

    private ParameterException usage(String why) {
        return new ParameterException(spec.commandLine(), why);
    }
}
