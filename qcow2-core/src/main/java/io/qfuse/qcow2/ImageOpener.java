package io.qfuse.qcow2;

import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.check.ImageRepair;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.HostCounts;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.HostIoException;
import io.qfuse.qcow2.io.ImageLock;
import io.qfuse.qcow2.io.NativeHostFile;
import io.qfuse.qcow2.io.OneLine;
import io.qfuse.qcow2.reference.FileReference;
import io.qfuse.qcow2.reference.FoundFile;
import io.qfuse.qcow2.snapshot.SnapshotTable;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Opens an image, its external data file, and below it the files of its backing chain (format notes, sections 11 and 12). One
 * opener opens one chain, and leaves to a {@link Maker} what becomes of it.
 *
 * <ol>
 *   <li>A format is never guessed: it is recorded in the image or given by the user.
 *   <li>A file that occurs twice is a loop, and refused.
 *   <li>A data file that the image names is opened only in the image's own directory, unless the user allows more. It is written
 *       to: an image must not choose which file of the host that is.
 *   <li>What was opened is closed again when a layer further down cannot be.
 * </ol>
 */
final class ImageOpener<L extends AutoCloseable> {

    /** What is made of the files of a chain, from the lowest layer up; it closes them from then on. */
    interface Maker<L> {
        /** An image whose header was found usable, above what lies below it. */
        L image(ImageFiles files, Header header, @Nullable L below, OpenOptions how) throws IOException;

        /** A raw file. */
        L raw(NativeHostFile file) throws IOException;
    }

    private static final System.Logger LOG = System.getLogger(ImageOpener.class.getPackageName());

    /** More layers than any tool makes on purpose; each costs a descriptor and some stack in every read. */
    private static final int MOST_LAYERS = 256;

    private final OpenOptions options;
    private final Maker<L> maker;
    private final HostCounts host;
    private final Set<Object> visited = new HashSet<>();
    private int layers = 1;

    /**
     * Opens one chain.
     *
     * @param host told what is asked of its files
     */
    ImageOpener(OpenOptions options, Maker<L> maker, HostCounts host) {
        this.options = options;
        this.maker = maker;
        this.host = host;
    }

    L open(Path path) throws IOException {
        return openQcow2(openLocked(path, options), options);
    }

    /** Opens a file that is no image of ours as the only layer. */
    L openRaw(Path path) throws IOException {
        return openRaw(openLocked(path, options));
    }

    private L openQcow2(NativeHostFile file, OpenOptions how) throws IOException {
        Path path = file.path();
        @Nullable NativeHostFile data = null;
        @Nullable L backing = null;
        try {
            Header header = HeaderReader.read(file);
            Features.requireSupported(header, how.writable(), path);
            data = openData(path, header, how);
            backing = how.withBacking() ? openBacking(path, header) : null;
            return maker.image(new ImageFiles(file, data), usable(file, header, how), backing, how);
        } catch (IOException | RuntimeException e) {
            closeAfter(e, backing);
            closeAfter(e, data);
            closeAfter(e, file);
            throw e;
        }
    }

    private NativeHostFile openBelow(Path overlay, Path path) throws IOException {
        if (++layers > MOST_LAYERS) {
            throw new Qcow2Exception(Kind.UNSUPPORTED, path, "backing chain has more than " + MOST_LAYERS + " layers");
        }
        return openNamed(overlay, "backing file", path, options.below());
    }

    private NativeHostFile openNamed(Path image, String role, Path path, OpenOptions how) throws IOException {
        try {
            return openLocked(path, how);
        } catch (HostIoException e) {
            throw HostIoException.of(image, role, e);
        }
    }

    /** The lock lives as long as the descriptor. */
    private NativeHostFile openLocked(Path path, OpenOptions how) throws IOException {
        requireUnvisited(path);
        NativeHostFile file = NativeHostFile.open(path, how.writable(), host);
        try {
            ImageLock.acquire(file, mode(how));
            return file;
        } catch (IOException | RuntimeException e) {
            closeAfter(e, file);
            throw e;
        }
    }

    private @Nullable NativeHostFile openData(Path image, Header header, OpenOptions how) throws IOException {
        if (!header.hasExternalData()) {
            if (!how.dataFile().isEmpty()) {
                throw new Qcow2Exception(
                        Kind.UNSUPPORTED,
                        image,
                        "has no external data file, but --data-file=" + how.dataFile() + " is given");
            }
            return null;
        }
        Path path = how.dataFile().isEmpty() ? namedData(image, header) : Path.of(how.dataFile());
        NativeHostFile file = openNamed(image, "external data file", path, how);
        try {
            if (how.dataFile().isEmpty()
                    && !options.allowExternal()
                    && !file.realPath().equals(path)) {
                // Whoever may change the directory has put a link there since it was looked at.
                throw outside(image, file.realPath());
            }
        } catch (IOException | RuntimeException e) {
            closeAfter(e, file);
            throw e;
        }
        say(Level.INFO, image, "guest data are in " + path);
        return file;
    }

    private Path namedData(Path image, Header header) throws IOException {
        if (header.dataFile().isEmpty()) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED, image, "does not name its external data file; give it with --data-file=FILE");
        }
        FileReference reference = FileReference.parse(header.dataFile(), "external data file", image);
        if (reference.format().equals("qcow2")) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED, image, "external data file \"" + header.dataFile() + "\" is not raw");
        }
        FoundFile found = FoundFile.besideOrHere(image, reference);
        if (found.outside() && !options.allowExternal()) {
            throw outside(image, found.real());
        }
        return found.real();
    }

    private static Qcow2Exception outside(Path image, Path data) {
        return new Qcow2Exception(
                Kind.UNSUPPORTED,
                image,
                "names the external data file " + data + ", outside its own directory: give"
                        + " --allow-external if that is meant, or another file with --data-file=FILE");
    }

    /**
     * The header of what is to be shown: the present state, whose refcounts are in order if it is to be written, or a
     * snapshot in its place.
     */
    private static Header usable(HostFile file, Header header, OpenOptions how) throws IOException {
        if (how.snapshot().isEmpty()) {
            return how.writable() ? ImageRepair.ifDirty(file, header) : header;
        }
        if (how.writable()) {
            throw new Qcow2Exception(
                    Kind.READ_ONLY, file.path(), "snapshot " + how.snapshot() + " can only be opened read-only");
        }
        return SnapshotTable.read(file, header)
                .find(how.snapshot(), file.path())
                .shownBy(header, file.path(), file.size());
    }

    private static ImageLock.Mode mode(OpenOptions how) {
        if (how.writable()) {
            return ImageLock.Mode.WRITE;
        }
        return how.forceShare() ? ImageLock.Mode.SHARED_READ : ImageLock.Mode.READ;
    }

    private @Nullable L openBacking(Path overlay, Header header) throws IOException {
        String name = header.backingFile();
        if (name == null) {
            return null;
        }
        FileReference reference = FileReference.parse(name, "backing file", overlay);
        FoundFile found =
                reference.tree() ? FoundFile.besideOrHere(overlay, reference) : FoundFile.beside(overlay, reference);
        if (found.outside()) {
            say(Level.WARNING, overlay, "its backing file " + found.path() + " lies outside its own directory");
        } else if (reference.tree()) {
            say(Level.INFO, overlay, "its backing file is " + found.path());
        }
        String format = format(overlay, header, reference);
        return switch (format) {
            case "qcow2" -> openQcow2(openBelow(overlay, found.path()), options.below());
            case "raw", "file", "host_device" -> openRaw(openBelow(overlay, found.path()));
            default ->
                throw new Qcow2Exception(
                        Kind.UNSUPPORTED,
                        overlay,
                        "backing format \"" + format + "\" of " + name + " is neither qcow2 nor raw");
        };
    }

    private String format(Path overlay, Header header, FileReference reference) throws Qcow2Exception {
        String recorded = header.backingFormat();
        String wrapped = reference.format();
        if (!recorded.isEmpty() && !wrapped.isEmpty() && !recorded.equals(wrapped)) {
            throw new Qcow2Exception(
                    Kind.MALFORMED,
                    overlay,
                    "says both that its backing file is " + recorded + " and that it is " + wrapped);
        }
        String format = !recorded.isEmpty() ? recorded : !wrapped.isEmpty() ? wrapped : options.backingFormat();
        if (format.isEmpty()) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED,
                    overlay,
                    "does not say which format its backing file " + reference.name()
                            + " has; give it with --backing-format=raw or --backing-format=qcow2");
        }
        return format;
    }

    private L openRaw(NativeHostFile file) throws IOException {
        try {
            return maker.raw(file);
        } catch (IOException | RuntimeException e) {
            closeAfter(e, file);
            throw e;
        }
    }

    private void requireUnvisited(Path path) throws IOException {
        if (!Files.exists(path)) {
            return; // Opening it says what is wrong, in the host's words.
        }
        Object key = Files.readAttributes(path, BasicFileAttributes.class).fileKey();
        if (key != null && !visited.add(key)) {
            throw new Qcow2Exception(Kind.MALFORMED, path, "backing chain loops: this file occurs in it twice");
        }
    }

    /** Names come from the image, which is not trusted with control characters in the log. */
    private static void say(Level level, Path image, String what) {
        LOG.log(level, OneLine.of(image + ": " + what));
    }

    private static void closeAfter(Exception failure, @Nullable AutoCloseable opened) {
        if (opened != null) {
            try {
                opened.close();
            } catch (Exception e) {
                failure.addSuppressed(e);
            }
        }
    }
}
