package io.qfuse.qcow2.transfer;

import io.qfuse.qcow2.CreateOptions;
import io.qfuse.qcow2.Disk;
import io.qfuse.qcow2.Images;
import io.qfuse.qcow2.OpenOptions;
import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.create.ImageBuilder;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.ImageLock;
import io.qfuse.qcow2.io.NativeHostFile;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A target from opening or making it to its end. */
final class OpenTarget implements AutoCloseable {

    private final @Nullable NewFile file;
    private final Sink sink;
    private final boolean readsAsZeroes;

    private OpenTarget(@Nullable NewFile file, Sink sink, boolean readsAsZeroes) {
        this.file = file;
        this.sink = sink;
        this.readsAsZeroes = readsAsZeroes;
    }

    /**
     * Opens a target, or begins a new one.
     *
     * @param size bytes of the disk that it is to hold
     */
    static OpenTarget of(Target target, long size) throws IOException {
        if (target.inPlace()) {
            boolean zeroes = target.there() == Target.Existing.WRITE_OVER_ZEROES;
            return new OpenTarget(null, existing(target, size, !zeroes), zeroes);
        }
        NewFile file = NewFile.at(target.path(), target.there() == Target.Existing.REPLACE);
        try {
            boolean zeroes =
                    target.format() == ImageFormat.RAW || target.create().backing() == null;
            return new OpenTarget(file, fresh(target, file, size, !zeroes), zeroes);
        } catch (IOException | RuntimeException e) {
            try {
                file.close();
            } catch (IOException second) {
                e.addSuppressed(second);
            }
            throw e;
        }
    }

    private static Sink existing(Target target, long size, boolean clears) throws IOException {
        if (target.compressed()) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED, target.path(), "it is there already; only a new image can be compressed");
        }
        if (target.format() == ImageFormat.QCOW2) {
            return image(target.path(), size, clears);
        }
        NativeHostFile file = NativeHostFile.open(target.path(), true);
        return orClose(file, () -> {
            ImageLock.acquire(file, ImageLock.Mode.WRITE);
            requireRoom(target.path(), file.size(), size);
            return new RawSink(file, clears);
        });
    }

    private static Sink fresh(Target target, NewFile beside, long size, boolean clears) throws IOException {
        CreateOptions options = target.create().withSize(size).withOverwrite(true);
        if (target.format() == ImageFormat.QCOW2 && !canBeBuilt(options)) {
            if (target.compressed()) {
                throw new Qcow2Exception(
                        Kind.UNSUPPORTED, target.path(), "with preallocation or a data file nothing can be compressed");
            }
            Images.create(beside.path(), options);
            CreateOptions.DataFile data = options.dataFile();
            if (data != null) {
                beside.goesWith(beside.path().resolveSibling(data.file()));
            }
            return image(beside.path(), size, clears);
        }
        NativeHostFile file = NativeHostFile.open(beside.path(), true);
        return orClose(file, () -> {
            if (target.format() == ImageFormat.QCOW2) {
                ImageBuilder builder = Images.begin(file, options);
                return new BuilderSink(file, builder, options, target.compressed(), clears);
            }
            file.truncate(size);
            return new RawSink(file, clears);
        });
    }

    /** What lies in the order of the disk, and in one file. */
    private static boolean canBeBuilt(CreateOptions options) {
        return options.dataFile() == null && options.preallocation() == CreateOptions.Preallocation.OFF;
    }

    private static Sink image(Path path, long size, boolean clears) throws IOException {
        Disk disk = Images.open(path, OpenOptions.readWrite());
        return orClose(disk, () -> {
            requireRoom(path, disk.size(), size);
            return new DiskSink(disk, allocationUnit(path), clears);
        });
    }

    private static int allocationUnit(Path image) throws IOException {
        try (NativeHostFile file = NativeHostFile.open(image, false)) {
            return HeaderReader.read(file).geometry().subclusterSize();
        }
    }

    private static void requireRoom(Path path, long there, long needed) throws Qcow2Exception {
        if (there < needed) {
            throw new Qcow2Exception(
                    Kind.OUT_OF_RANGE, path, "it holds " + there + " bytes, too few for a disk of " + needed);
        }
    }

    private interface Maker {
        Sink make() throws IOException;
    }

    private static Sink orClose(AutoCloseable opened, Maker maker) throws IOException {
        try {
            return maker.make();
        } catch (IOException | RuntimeException e) {
            try {
                opened.close();
            } catch (Exception second) {
                e.addSuppressed(second);
            }
            throw e;
        }
    }

    Sink sink() {
        return sink;
    }

    /** Whether what is not written reads as zeroes. */
    boolean readsAsZeroes() {
        return readsAsZeroes;
    }

    /** Makes the target durable and gives it its name. */
    void finish() throws IOException {
        sink.finish();
        sink.close();
        if (file != null) {
            file.publish();
        }
    }

    @Override
    public void close() throws IOException {
        try (file) {
            sink.close();
        }
    }
}
