package io.qfuse.fuse;

import io.qfuse.fuse.kernel.KernelTransport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Disks that are mounted and served by this process. */
public final class Mount implements AutoCloseable {

    private final TransportSession session;
    private final ImageFileSystem files;

    private Mount(TransportSession session, ImageFileSystem files) {
        this.session = session;
        this.files = files;
    }

    /**
     * Mounts disks and starts to serve them; when this returns they can be read.
     *
     * @param images one or more, with different names; just one where the mount point is a regular file
     * @param mountPoint a directory, or a regular file to mount over
     */
    public static Mount serve(List<ServedImage> images, Path mountPoint, MountOptions options, Transport transport)
            throws IOException {
        boolean overFile = Files.isRegularFile(mountPoint);
        Permissions permissions = options.permissions(0, 0);
        var files = overFile
                ? ImageFileSystem.file(images.get(0), permissions)
                : ImageFileSystem.directory(images, permissions);
        var session = KernelTransport.serve(files, mountPoint, options.sourceFor(images.get(0)), options, true);
        return new Mount(session, files);
    }

    /** Returns when the mount is gone and everything written to it is durable. */
    public void awaitUnmount() throws IOException, InterruptedException {
        session.awaitUnmount();
        files.sync(ImageFileSystem.ROOT);
    }

    /** Unmounts. */
    @Override
    public void close() throws IOException {
        session.unmount(true);
    }
}
