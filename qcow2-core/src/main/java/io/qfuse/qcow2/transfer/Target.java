package io.qfuse.qcow2.transfer;

import io.qfuse.qcow2.CreateOptions;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What is made of a disk.
 *
 * @param path its file. A new one gets its name when it is whole; a block device is written in place
 * @param format what the file becomes, or is where it is there already
 * @param there what to do with a file that is there already
 * @param create what a new qcow2 image is like; its size is that of the source
 * @param compressed whether the clusters of a new qcow2 image are compressed, where that makes them smaller
 */
public record Target(Path path, ImageFormat format, Existing there, CreateOptions create, boolean compressed) {

    /** What to do with a file that is there already. */
    public enum Existing {
        /** Fail. */
        REFUSE,
        /** Put the new file into its place when that is whole. */
        REPLACE,
        /** Write into it, zeroes too. It is there, and not smaller than the disk; what it has behind that is left alone. */
        WRITE,
        /** The same for one that is known to read as zeroes: none are written. */
        WRITE_OVER_ZEROES
    }

    /** A new file with the defaults, that replaces nothing. */
    public static Target of(Path path, ImageFormat format) {
        return new Target(path, format, Existing.REFUSE, CreateOptions.ofSize(0), false);
    }

    /** Whether it is written where it is. */
    boolean inPlace() {
        return there == Existing.WRITE || there == Existing.WRITE_OVER_ZEROES || isDevice();
    }

    /** Whether it will be a new image over a backing file. */
    boolean hasBacking() {
        return !inPlace() && format == ImageFormat.QCOW2 && create.backing() != null;
    }

    /** What is there but neither file nor directory; where it is no block device either, opening it says so. */
    private boolean isDevice() {
        return Files.exists(path) && !Files.isRegularFile(path) && !Files.isDirectory(path);
    }

    /** The same with its clusters compressed. */
    public Target withCompression() {
        return new Target(path, format, there, create, true);
    }
}
