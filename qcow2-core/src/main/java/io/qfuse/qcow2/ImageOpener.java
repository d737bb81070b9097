package io.qfuse.qcow2;

import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderCodec;
import io.qfuse.qcow2.format.HeaderExtension;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.ImageLock;
import io.qfuse.qcow2.io.NativeHostFile;
import io.qfuse.qcow2.layer.RawLayer;
import io.qfuse.qcow2.snapshot.SnapshotTable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Opens an image, and below it the files of its backing chain (format notes, section 11). One opener opens one chain.
 *
 * <ol>
 *   <li>A format is never guessed: it is recorded in the image or given by the user.
 *   <li>A file that occurs twice is a loop, and refused.
 *   <li>What was opened is closed again when a layer further down cannot be.
 * </ol>
 */
final class ImageOpener {

    /** More layers than any tool makes on purpose. */
    private static final int MOST_LAYERS = 1000;

    private static final int LARGEST_CLUSTER = 2 << 20;

    private final OpenOptions options;
    private final Qcow2Image.ChainCaches caches;
    private final Set<Object> visited = new HashSet<>();

    ImageOpener(OpenOptions options) {
        this.options = options;
        this.caches = Qcow2Image.ChainCaches.of(options);
    }

    Disk open(Path path) throws IOException {
        return openQcow2(path, options);
    }

    private Disk openQcow2(Path path, OpenOptions how) throws IOException {
        requireUnvisited(path);
        NativeHostFile file = NativeHostFile.open(path, how.writable());
        try {
            // The lock lives as long as the descriptor.
            ImageLock.acquire(file, mode(how));
            Header header = readHeader(file, path);
            Features.requireSupported(header, how.writable(), path);
            Layer backing = how.withBacking() ? openBacking(path, header) : null;
            try {
                return new Qcow2Image(file, shown(file, header, how), backing, how, caches);
            } catch (IOException | RuntimeException e) {
                closeAfter(e, backing);
                throw e;
            }
        } catch (IOException | RuntimeException e) {
            closeAfter(e, file);
            throw e;
        }
    }

    /** The header of what is to be shown: the present state, or a snapshot in its place. */
    private static Header shown(HostFile file, Header header, OpenOptions how) throws IOException {
        if (how.snapshot().isEmpty()) {
            return header;
        }
        if (how.writable()) {
            throw new Qcow2Exception(
                    Kind.READ_ONLY, file.path(), "snapshot " + how.snapshot() + " can only be opened read-only");
        }
        return SnapshotTable.read(file, header)
                .find(how.snapshot(), file.path())
                .shownBy(header, file.path());
    }

    private static ImageLock.Mode mode(OpenOptions how) {
        if (how.writable()) {
            return ImageLock.Mode.WRITE;
        }
        return how.forceShare() ? ImageLock.Mode.SHARED_READ : ImageLock.Mode.READ;
    }

    private static Header readHeader(HostFile file, Path path) throws IOException {
        long length = file.size();
        byte[] start = new byte[(int) Math.min(length, LARGEST_CLUSTER)];
        file.read(0, start);
        return HeaderCodec.decode(start, path, length);
    }

    private @Nullable Layer openBacking(Path overlay, Header header) throws IOException {
        String name = header.backingFile();
        if (name == null) {
            return null;
        }
        Path path = resolve(overlay, name);
        String format = format(overlay, header, name);
        return switch (format) {
            case "qcow2" -> openQcow2(path, options.below());
            case "raw" -> openRaw(path);
            default ->
                throw new Qcow2Exception(
                        Kind.UNSUPPORTED,
                        overlay,
                        "backing format \"" + format + "\" of " + name + " is neither qcow2 nor raw");
        };
    }

    private static Path resolve(Path overlay, String name) throws Qcow2Exception {
        int colon = name.indexOf(':');
        int slash = name.indexOf('/');
        if (colon >= 0 && (slash < 0 || colon < slash)) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED, overlay, "backing file \"" + name + "\" is not a path of this host");
        }
        return overlay.toAbsolutePath().resolveSibling(name);
    }

    private String format(Path overlay, Header header, String name) throws Qcow2Exception {
        for (HeaderExtension extension : header.extensions()) {
            if (extension.type() == HeaderExtension.BACKING_FORMAT) {
                return new String(extension.data(), StandardCharsets.UTF_8);
            }
        }
        if (options.backingFormat().isEmpty()) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED,
                    overlay,
                    "does not say which format its backing file " + name
                            + " has; give it with --backing-format=raw or --backing-format=qcow2");
        }
        return options.backingFormat();
    }

    private Layer openRaw(Path path) throws IOException {
        requireUnvisited(path);
        NativeHostFile file = NativeHostFile.open(path, false);
        try {
            ImageLock.acquire(file, mode(options.below()));
            return new RawLayer(file);
        } catch (IOException | RuntimeException e) {
            closeAfter(e, file);
            throw e;
        }
    }

    private void requireUnvisited(Path path) throws IOException {
        if (visited.size() >= MOST_LAYERS) {
            throw new Qcow2Exception(Kind.UNSUPPORTED, path, "backing chain has more than " + MOST_LAYERS + " layers");
        }
        if (!Files.exists(path)) {
            return; // Opening it says what is wrong, in the host's words.
        }
        Object key = Files.readAttributes(path, BasicFileAttributes.class).fileKey();
        if (key != null && !visited.add(key)) {
            throw new Qcow2Exception(Kind.MALFORMED, path, "backing chain loops: this file occurs in it twice");
        }
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
