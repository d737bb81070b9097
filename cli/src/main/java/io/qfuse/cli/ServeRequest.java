package io.qfuse.cli;

import io.qfuse.fuse.MountOptions;
import io.qfuse.fuse.Transport;
import io.qfuse.qcow2.OpenOptions;
import io.qfuse.qcow2.Passphrase;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What a server is to serve; all paths are absolute.
 *
 * @param images the images, one or more
 * @param mountPoint a directory, or a regular file for one image
 * @param open how to open the images
 * @param snapshots whether each image's internal snapshots are shown beside it
 * @param mount how to mount them
 * @param transport how requests come in
 * @param pidFile where to write the server's process number while it serves
 * @param logFile where stdout and stderr go once it serves
 * @param quiet whether hints on how it was mounted are left out
 */
record ServeRequest(
        List<Path> images,
        Path mountPoint,
        OpenOptions open,
        boolean snapshots,
        MountOptions mount,
        Transport transport,
        Optional<Path> pidFile,
        Optional<Path> logFile,
        boolean quiet) {

    /** The same with what opens encrypted images; closed by whoever opens them. */
    ServeRequest with(Passphrase passphrase) {
        return new ServeRequest(
                images,
                mountPoint,
                open.withPassphrase(passphrase),
                snapshots,
                mount,
                transport,
                pidFile,
                logFile,
                quiet);
    }
}
