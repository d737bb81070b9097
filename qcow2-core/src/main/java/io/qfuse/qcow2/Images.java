package io.qfuse.qcow2;

import io.qfuse.qcow2.create.ImageBuilder;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.io.HostCounts;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeHostFile;
import io.qfuse.qcow2.layer.RawLayer;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The door to images: opens one with its backing chain, or makes a new one. */
public final class Images {

    private Images() {}

    /**
     * Opens a qcow2 image and its chain, locked against other programs as QEMU does it.
     *
     * @throws Qcow2Exception if the file is no image, an image that cannot be served, or in use by another program
     * @throws io.qfuse.qcow2.io.HostIoException if a file of the chain cannot be opened or read
     */
    public static Disk open(Path path, OpenOptions options) throws IOException {
        return openDisk(path, options);
    }

    /**
     * Opens an image as {@link #open} does, and its internal snapshots beside it. A snapshot is looked at when it is first
     * read: one that is damaged is there, and fails its readers with {@link Qcow2Exception.Kind#MALFORMED} or
     * {@link Qcow2Exception.Kind#CORRUPT}.
     *
     * @throws Qcow2Exception as {@link #open} does, and where the snapshot table makes no sense
     * @throws io.qfuse.qcow2.io.HostIoException if a file of the chain cannot be opened or read
     */
    public static ImageWithSnapshots openWithSnapshots(Path path, OpenOptions options) throws IOException {
        return ImageWithSnapshots.of(openDisk(path, options));
    }

    private static Qcow2Image openDisk(Path path, OpenOptions options) throws IOException {
        Qcow2Image.ChainCaches caches = Qcow2Image.ChainCaches.of(options);
        ImageOpener.Maker<Layer> disks = new ImageOpener.Maker<>() {
            @Override
            public Layer image(ImageFiles files, Header header, @Nullable Layer below, OpenOptions how)
                    throws IOException {
                return new Qcow2Image(files, header, below, how, caches);
            }

            @Override
            public Layer raw(NativeHostFile file) throws IOException {
                return new RawLayer(file);
            }
        };
        return (Qcow2Image) new ImageOpener<>(options, disks, caches.host()).open(path);
    }

    /**
     * Opens an image and its chain to tell where the bytes of its disk are. An external data file may be anywhere: it is looked at
     * no further than to open it.
     *
     * @param options how, read-only; a passphrase is not needed, and no cache taken
     * @throws Qcow2Exception if the file is no image, an image that cannot be understood, or in use by another program
     * @throws io.qfuse.qcow2.io.HostIoException if a file of the chain cannot be opened or read
     */
    public static DiskMap map(Path path, OpenOptions options) throws IOException {
        return mapper(options).open(path);
    }

    /** The same of a raw file. */
    public static DiskMap mapRaw(Path path, OpenOptions options) throws IOException {
        return mapper(options).openRaw(path);
    }

    private static ImageOpener<DiskMap> mapper(OpenOptions options) {
        ImageOpener.Maker<DiskMap> maps = new ImageOpener.Maker<>() {
            @Override
            public DiskMap image(ImageFiles files, Header header, @Nullable DiskMap below, OpenOptions how)
                    throws IOException {
                return DiskMap.image(files, header, below);
            }

            @Override
            public DiskMap raw(NativeHostFile file) throws IOException {
                return DiskMap.raw(file);
            }
        };
        return new ImageOpener<>(options.withAllowExternal(true), maps, new HostCounts());
    }

    /**
     * Checks the tables and refcounts of an image, and repairs what is asked for. Time and memory go with the metadata: a byte
     * for each cluster that is referred to, two or four where many share one, and at most a third of the heap.
     *
     * @throws Qcow2Exception of kind LOCKED where somebody uses the image; where it is no qcow2 image, or its header is such that
     *     there is nothing to follow; where counting takes too much memory
     * @throws IOException where the host fails; a repair that it cuts off leaves the image no worse
     */
    public static ImageCheck check(Path path, CheckOptions options) throws IOException {
        return ImageCheck.run(path, options);
    }

    /**
     * Makes an image; on return it is durable. An image that is replaced is there whole until the new one is.
     *
     * @throws Qcow2Exception if the image is not possible, the backing file is missing, or there is a file already
     * @throws IOException if the host fails; nothing new is left behind then
     */
    public static void create(Path path, CreateOptions options) throws IOException {
        ImageCreator.create(path, options);
    }

    /**
     * Begins an image that is written from its first guest cluster to its last, and is none before it is finished.
     *
     * @param file an empty file; it stays the caller's
     * @param options what it is to be like, without preallocation and without a data file
     * @throws Qcow2Exception if the image is not possible, or the backing file is missing
     */
    public static ImageBuilder begin(HostFile file, CreateOptions options) throws IOException {
        return ImageCreator.begin(file, options);
    }
}
