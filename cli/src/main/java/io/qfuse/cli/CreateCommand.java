package io.qfuse.cli;

import io.qfuse.qcow2.CreateOptions;
import io.qfuse.qcow2.Images;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code qfuse create}: makes a new image. */
@Command(name = "create", description = "Makes a new image that reads as zeroes, or as its backing file.")
final class CreateCommand implements Callable<Integer> {

    @Parameters(index = "0", paramLabel = "FILE", description = "The new image.")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private Path file;

    @Parameters(
            index = "1",
            arity = "0..1",
            paramLabel = "SIZE",
            converter = ByteSize.class,
            description = "The size of the disk, as 10G; without it, that of the backing file.")
    private @Nullable Long size;

    @Option(
            names = "-o",
            paramLabel = "NAME=VALUE,...",
            description = "Options as qemu-img spells them: cluster_size, compat, refcount_bits, lazy_refcounts,"
                    + " extended_l2, compression_type, preallocation (off or metadata), backing_file, backing_fmt, data_file"
                    + " (relative to the directory of the image), data_file_raw, size.")
    private List<String> words = new ArrayList<>();

    @Option(
            names = "-b",
            paramLabel = "FILE",
            description = "The backing file, as the image names it: relative to the directory of the image. Needs -F.")
    private @Nullable String backing;

    @Option(names = "-F", paramLabel = "qcow2|raw", description = "The format of the backing file.")
    private @Nullable String backingFormat;

    @Option(names = "--force", description = "Replace an image that is there already.")
    private boolean force;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        Images.create(file, options());
        return 0;
    }

    private CreateOptions options() {
        try {
            CreateOptions options = CreateOptions.parse(words).withOverwrite(force);
            if (size != null) {
                options = options.withSize(size);
            }
            if (backing != null && backingFormat != null) {
                options = options.withBacking(backing, backingFormat);
            } else if (backing != null || backingFormat != null) {
                throw new IllegalArgumentException(
                        "-b and -F go together: the format of a backing file is never guessed");
            }
            if (options.size() < 0 && options.backing() == null) {
                throw new IllegalArgumentException("SIZE is missing");
            }
            return options;
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()));
        }
    }
}
