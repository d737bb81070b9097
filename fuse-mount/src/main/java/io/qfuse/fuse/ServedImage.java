package io.qfuse.fuse;

import io.qfuse.qcow2.Disk;
import java.nio.file.Path;

/**
 * One disk and how it appears.
 *
 * @param name the file's name inside a mounted directory
 * @param disk what is served; its owner closes it after the unmount
 * @param image the image on the host, whose file system says how much room is left
 */
public record ServedImage(String name, Disk disk, Path image) {

    /** Checks that the name can be one. */
    public ServedImage {
        if (name.isEmpty() || name.equals(".") || name.equals("..") || name.contains("/") || name.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("not a file name: '" + name + "'");
        }
    }

    /** An image under its usual name: that of its file, with {@code .raw} in place of {@code .qcow2}. */
    public static ServedImage of(Disk disk, Path image) {
        String file = String.valueOf(image.getFileName());
        String stem = file.endsWith(".qcow2") && file.length() > 6 ? file.substring(0, file.length() - 6) : file;
        return new ServedImage(stem + ".raw", disk, image);
    }
}
