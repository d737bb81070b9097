package io.qfuse.cli;

import io.qfuse.qcow2.OpenOptions;
import io.qfuse.qcow2.Passphrase;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options for opening an image, shared by the verbs that do. */
final class ImageOptions {

    /** The formats that a backing file may be said to have. */
    enum BackingFormat {
        QCOW2,
        RAW,
        /** Whatever the image itself records. */
        RECORDED
    }

    @Option(
            names = {"-U", "--force-share"},
            description = "Read an image that another program is writing; what is read may be out of date or torn."
                    + " Only for reading.")
    private boolean forceShare;

    @Option(
            names = "--backing-format",
            paramLabel = "qcow2|raw",
            description = "The format of the backing file, for an image that does not record it.")
    private BackingFormat backingFormat = BackingFormat.RECORDED;

    @Option(
            names = "--no-backing",
            description = "Leave the backing file alone: what the image does not hold itself is zeroes.")
    private boolean noBacking;

    @Option(
            names = "--data-file",
            paramLabel = "FILE",
            description = "The external data file, instead of the one that the image names.")
    private @Nullable Path dataFile;

    @Option(
            names = "--allow-external",
            description = "Follow an image that names an external data file outside its own directory.")
    private boolean allowExternal;

    @Option(
            names = "--snapshot",
            paramLabel = "ID|NAME",
            description = "Show this internal snapshot instead of the present state. Only for reading.")
    private String snapshot = "";

    @Option(
            names = "--passphrase-file",
            paramLabel = "FILE",
            description =
                    "What opens an encrypted image, and encrypted images below it: all bytes of FILE, a newline at"
                            + " its end too; - for standard input.")
    private String passphraseFile = "";

    @Option(
            names = "--cache-size",
            paramLabel = "SIZE",
            converter = ByteSize.class,
            description =
                    "Memory for cached metadata of all images together (default: 32M), used as it is needed. All L2 tables"
                            + " of a disk take 8 bytes (16 with extended L2 entries) for each cluster of its virtual size, and"
                            + " 4 %% more: 32M hold those of 246G with clusters of 64K.")
    private long cacheBytes = OpenOptions.DEFAULT_CACHE_BYTES;

    /** The option that only makes sense for reading, where one is given; else empty. */
    String readOnlyOption() {
        if (forceShare) {
            return "--force-share";
        }
        return snapshot.isEmpty() ? "" : "--snapshot";
    }

    /** The option that only makes sense for one image, where it is given; else empty. */
    String singleImageOption() {
        return dataFile == null ? "" : "--data-file";
    }

    /** Whether the passphrase comes from standard input. */
    boolean readsInput() {
        return passphraseFile.equals(PassphraseFile.STANDARD_INPUT);
    }

    /** Reads the passphrase, where there is one to read. */
    Optional<Passphrase> readPassphrase() throws IOException {
        return passphraseFile.isEmpty() ? Optional.empty() : Optional.of(PassphraseFile.read(passphraseFile));
    }

    /** Them as the core takes them, without the passphrase. */
    OpenOptions toOpen(boolean writable) {
        String format = backingFormat == BackingFormat.RECORDED
                ? ""
                : backingFormat.name().toLowerCase(Locale.ROOT);
        return OpenOptions.readWrite()
                .withWritable(writable)
                .withForceShare(forceShare)
                .withCacheBytes(cacheBytes)
                .withBackingFormat(format)
                .withSnapshot(snapshot)
                .withBacking(!noBacking)
                .withDataFile(dataFile == null ? "" : dataFile.toAbsolutePath().toString())
                .withAllowExternal(allowExternal);
    }
}
