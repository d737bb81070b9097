package io.qfuse.it;

import io.qfuse.fuse.Mount;
import io.qfuse.fuse.MountOptions;
import io.qfuse.fuse.ServedImage;
import io.qfuse.fuse.Transport;
import io.qfuse.qcow2.Disk;
import io.qfuse.qcow2.Images;
import io.qfuse.qcow2.OpenOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * An image that the test's own process serves: mounted and unmounted in milliseconds, over any transport.
 *
 * @param disk the open image
 * @param mount where it is served
 * @param raw the raw file
 */
record ServedHere(Disk disk, Mount mount, Path raw) implements AutoCloseable {

    /** Mounts an image for reading and writing. */
    static ServedHere serve(Path image, Path mountPoint, Transport transport) throws IOException {
        return serve(image, mountPoint, transport, OpenOptions.readWrite());
    }

    /** Mounts an image that is opened in that way. */
    static ServedHere serve(Path image, Path mountPoint, Transport transport, OpenOptions open) throws IOException {
        IoUringHost.permit(transport);
        Disk disk = Images.open(image, open);
        try {
            ServedImage served = ServedImage.of(disk, image);
            MountOptions options = MountOptions.defaults().withReadOnly(!open.writable());
            Mount mount = Mount.serve(List.of(served), mountPoint, options, transport);
            return new ServedHere(disk, mount, mount.rawFile(served));
        } catch (IOException e) {
            disk.close();
            throw e;
        }
    }

    /** Unmounts and closes the image; it is flushed and free for others then. */
    @Override
    public void close() throws IOException {
        try (disk) {
            mount.close();
        }
    }
}
