package io.qfuse.fuse;

import io.qfuse.qcow2.Disk;
import io.qfuse.qcow2.Snapshot;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/** One disk and how it appears; immutable. */
public final class ServedImage {

    private final String name;
    private final Disk disk;
    private final Path image;
    private final Optional<List<ServedSnapshot>> snapshots;

    private ServedImage(String name, Disk disk, Path image, Optional<List<ServedSnapshot>> snapshots) {
        if (name.isEmpty() || name.equals(".") || name.equals("..") || name.contains("/") || name.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("not a file name: '" + name + "'");
        }
        this.name = name;
        this.disk = disk;
        this.image = image;
        this.snapshots = snapshots;
    }

    /**
     * A disk under a name.
     *
     * @param name the file's name inside a mounted directory
     * @param disk what is served; its owner closes it after the unmount
     * @param image the image on the host, whose file system says how much room is left
     */
    public ServedImage(String name, Disk disk, Path image) {
        this(name, disk, image, Optional.empty());
    }

    /** An image under its usual name: that of its file, with {@code .raw} in place of {@code .qcow2}. */
    public static ServedImage of(Disk disk, Path image) {
        return new ServedImage(stem(image) + ".raw", disk, image);
    }

    /**
     * The same with its internal snapshots in a directory beside it: {@code snapshots} where it is the mount's only image, else
     * {@code NAME.snapshots} beside {@code NAME.raw}.
     */
    public ServedImage withSnapshots(Collection<Snapshot> taken) {
        return new ServedImage(name, disk, image, Optional.of(ServedSnapshot.of(taken)));
    }

    private static String stem(Path image) {
        String file = String.valueOf(image.getFileName());
        return file.endsWith(".qcow2") && file.length() > 6 ? file.substring(0, file.length() - 6) : file;
    }

    /** The file's name inside a mounted directory. */
    public String name() {
        return name;
    }

    /** What is served; its owner closes it after the unmount. */
    public Disk disk() {
        return disk;
    }

    /** The image on the host. */
    public Path image() {
        return image;
    }

    /** The snapshots that appear beside it, where they do. */
    Optional<List<ServedSnapshot>> snapshots() {
        return snapshots;
    }

    /** The name of the directory of its snapshots. */
    String snapshotsName(boolean onlyImage) {
        String stem = name.endsWith(".raw") ? name.substring(0, name.length() - 4) : name;
        return onlyImage ? "snapshots" : stem + ".snapshots";
    }
}
