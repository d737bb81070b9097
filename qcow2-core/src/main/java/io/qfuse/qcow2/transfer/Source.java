package io.qfuse.qcow2.transfer;

import io.qfuse.qcow2.Images;
import io.qfuse.qcow2.Layer;
import io.qfuse.qcow2.OpenOptions;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.ImageLock;
import io.qfuse.qcow2.io.NativeHostFile;
import io.qfuse.qcow2.layer.RawLayer;
import java.io.IOException;
import java.nio.file.Path;

/**
 * A disk that is read.
 *
 * @param path its file
 * @param format what the file is
 * @param open how a qcow2 image is opened; of a raw file only whether somebody may be writing it meanwhile
 */
public record Source(Path path, ImageFormat format, OpenOptions open) {

    /** Nothing is ever written to a source. */
    public Source {
        open = open.withWritable(false);
    }

    /** A file of the format that it looks like, with the defaults. */
    public static Source of(Path path) throws IOException {
        return new Source(path, ImageFormat.of(path), OpenOptions.readOnly());
    }

    /** All of the disk, whatever it stands on. */
    Layer whole() throws IOException {
        return format == ImageFormat.RAW ? raw() : Images.open(path, open);
    }

    /** The disk with zeroes in place of its backing file: what the image itself says. */
    Layer alone() throws IOException {
        return format == ImageFormat.RAW ? raw() : Images.open(path, open.withBacking(false));
    }

    /** Whether the image names a file below it. */
    boolean hasBacking() throws IOException {
        if (format == ImageFormat.RAW || !open.withBacking()) {
            return false;
        }
        try (NativeHostFile file = NativeHostFile.open(path, false)) {
            return HeaderReader.read(file).backingFile() != null;
        }
    }

    private Layer raw() throws IOException {
        NativeHostFile file = NativeHostFile.open(path, false);
        try {
            ImageLock.acquire(file, open.forceShare() ? ImageLock.Mode.SHARED_READ : ImageLock.Mode.READ);
            return new RawLayer(file);
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
    }
}
