package io.qfuse.cli;

import io.qfuse.fuse.MountTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What a server tells those who unmount: a file in memory, named after the mount's device number, that hangs at one of
 * the server's descriptors. It is found by looking through /proc, leaves nothing on disk, and ends with the server however
 * that ends; who opened it before can read the last word after.
 */
final class ServerRecord {

    /** The last word of a server that flushed, unlocked and closed its images. */
    static final String CLOSED = "closed";

    private static final String NAME = "qfuse-server:";

    private final Path file;

    private ServerRecord(Path file) {
        this.file = file;
    }

    /**
     * Makes the record of this process.
     *
     * @param device the mount's device number, as {@code major:minor}
     */
    static ServerRecord create(String device) throws IOException {
        return new ServerRecord(Path.of("/proc/self/fd/" + Posix.memoryFile(NAME + device)));
    }

    /**
     * Says that the images are closed.
     *
     * @param failure what went wrong with that, or null where they are flushed, unlocked and closed
     */
    void end(@Nullable IOException failure) throws IOException {
        Files.writeString(file, failure == null ? CLOSED : String.valueOf(failure.getMessage()));
    }

    /**
     * The descriptor of the server of a mount, as an entry in /proc, where one runs that we may look into. A record counts only
     * where the user who has mounted has made it: anybody can make a file of that name.
     */
    static Optional<Path> find(MountTable.Entry mount) throws IOException {
        String target = "/memfd:" + NAME + mount.device() + " (deleted)";
        for (long pid : Processes.all()) {
            for (Path descriptor : Processes.descriptors(pid)) {
                if (target.equals(Processes.target(descriptor)) && Processes.owner(descriptor) == mount.user()) {
                    return Optional.of(descriptor);
                }
            }
        }
        return Optional.empty();
    }
}
