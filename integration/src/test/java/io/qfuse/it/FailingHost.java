package io.qfuse.it;

import io.qfuse.fuse.Mount;
import io.qfuse.fuse.MountOptions;
import io.qfuse.fuse.ServedImage;
import io.qfuse.fuse.Transport;
import io.qfuse.qcow2.Images;
import io.qfuse.qcow2.OpenOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * A file system that fails as it is told to. The test's own process serves it: whoever uses what lies on it has to be another
 * process, since one that waits for itself cannot even be killed.
 *
 * @param disk what fails
 * @param mount where it is served
 * @param file its one file
 */
record FailingHost(FailingDisk disk, Mount mount, Path file) implements AutoCloseable {

    /** Serves a file of 64 MiB whose beginning is that of another one. */
    static FailingHost serve(Scratch scratch, Path content) throws IOException {
        Path stored = scratch.path("stored.qcow2");
        scratch.qemuImg().ok("convert", "-f", "raw", "-O", "qcow2", content, stored);
        scratch.qemuImg().ok("resize", "-q", stored, "64M");
        FailingDisk disk = new FailingDisk(Images.open(stored, OpenOptions.readWrite()));
        try {
            ServedImage served = new ServedImage("disk.qcow2", disk, stored);
            Path directory = scratch.directory("host");
            Mount mount = Mount.serve(List.of(served), directory, MountOptions.defaults(), Transport.KERNEL);
            return new FailingHost(disk, mount, mount.rawFile(served));
        } catch (IOException e) {
            disk.close();
            throw e;
        }
    }

    /** Ends it, and cuts off who still uses it. */
    @Override
    public void close() throws IOException {
        disk.heal();
        try (disk) {
            mount.close();
        }
    }
}
