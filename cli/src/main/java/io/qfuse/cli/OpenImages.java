package io.qfuse.cli;

import io.qfuse.fuse.ServedImage;
import io.qfuse.qcow2.ImageWithSnapshots;
import io.qfuse.qcow2.Images;
import io.qfuse.qcow2.OpenOptions;
import io.qfuse.qcow2.Passphrase;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The images of a server, from opening to closing; used by the serving thread alone. */
final class OpenImages implements AutoCloseable {

    private final List<ServedImage> served = new ArrayList<>();
    private @Nullable ServerRecord record;

    private OpenImages() {}

    /** Opens all, or none, and wipes the passphrase. They share the room for cached metadata. */
    static OpenImages open(ServeRequest request) throws IOException {
        Passphrase passphrase = request.open().passphrase();
        try (passphrase) {
            return openAll(request);
        }
    }

    private static OpenImages openAll(ServeRequest request) throws IOException {
        OpenOptions all = request.open();
        OpenOptions each =
                all.withCacheBytes(all.cacheBytes() / request.images().size());
        OpenImages images = new OpenImages();
        try {
            for (Path image : request.images()) {
                images.add(request.snapshots() ? withSnapshots(image, each) : alone(image, each));
            }
            return images;
        } catch (IOException | RuntimeException e) {
            try {
                images.close();
            } catch (IOException second) {
                e.addSuppressed(second);
            }
            throw e;
        }
    }

    private static ServedImage alone(Path image, OpenOptions how) throws IOException {
        return ServedImage.of(Images.open(image, how), image);
    }

    private static ServedImage withSnapshots(Path image, OpenOptions how) throws IOException {
        ImageWithSnapshots opened = Images.openWithSnapshots(image, how);
        return ServedImage.of(opened.disk(), image).withSnapshots(opened.snapshots());
    }

    private void add(ServedImage image) throws IOException {
        boolean taken = served.stream().anyMatch(other -> other.name().equals(image.name()));
        served.add(image);
        if (taken) {
            throw new Failure(image.image(), "another image is already served as " + image.name());
        }
    }

    /** What a mount serves. */
    List<ServedImage> served() {
        return List.copyOf(served);
    }

    /** Lets the end be known there. */
    void reportTo(ServerRecord to) {
        record = to;
    }

    /** Flushes, unlocks and closes every image, also when one fails, and reports how that went. */
    @Override
    public void close() throws IOException {
        @Nullable IOException failure = null;
        for (ServedImage image : served) {
            try {
                image.disk().close();
            } catch (IOException e) {
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        served.clear();
        if (record != null) {
            record.end(failure);
        }
        if (failure != null) {
            throw failure;
        }
    }
}
