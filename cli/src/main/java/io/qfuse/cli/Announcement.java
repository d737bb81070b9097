package io.qfuse.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * How a server lets the world know that it serves: its process number in a file, the word to the command that started
 * it, and its output turned away to the log.
 */
final class Announcement implements AutoCloseable {

    private final Optional<Path> pidFile;
    private final boolean toParent;
    private final int log;

    private Announcement(Optional<Path> pidFile, boolean toParent, int log) {
        this.pidFile = pidFile;
        this.toParent = toParent;
        this.log = log;
    }

    /** Opens the log beforehand: whoever mistyped it should be told at once. */
    static Announcement prepare(ServeRequest request) throws IOException {
        boolean toParent = Background.isChild();
        String output = request.logFile().map(Path::toString).orElse(toParent ? "/dev/null" : "");
        return new Announcement(request.pidFile(), toParent, output.isEmpty() ? -1 : Posix.openLog(output));
    }

    /** Says that the raw files can be read. */
    void ready() throws IOException {
        if (pidFile.isPresent()) {
            Files.writeString(pidFile.get(), ProcessHandle.current().pid() + "\n");
        }
        if (toParent) {
            Background.tellReady();
        }
        if (log >= 0) {
            Posix.redirectOutputTo(log);
        }
    }

    /** Takes the process number back. */
    @Override
    public void close() throws IOException {
        if (pidFile.isPresent()) {
            Files.deleteIfExists(pidFile.get());
        }
    }
}
