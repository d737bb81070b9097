package io.qfuse.qcow2;

import java.io.IOException;
import java.nio.file.Path;

/** The door to images: opens one with its backing chain. */
public final class Images {

    private Images() {}

    /**
     * Opens a qcow2 image and its chain, locked against other programs as QEMU does it.
     *
     * @throws Qcow2Exception if the file is no image, an image that cannot be served, or in use by another program
     * @throws io.qfuse.qcow2.io.HostIoException if a file of the chain cannot be opened or read
     */
    public static Disk open(Path path, OpenOptions options) throws IOException {
        return new ImageOpener(options).open(path);
    }
}
