package io.qfuse.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.Set;

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
        return new Announcement(request.pidFile(), toParent, output.isEmpty() ? -1 : openLog(output));
    }

    /** Where others may make files, a link could lead to one that only this user may write. */
    private static int openLog(String output) throws IOException {
        Path file = Path.of(output);
        if (!Files.isSymbolicLink(file)) {
            int log = Posix.openLog(output);
            if (Files.readSymbolicLink(Path.of("/proc/self/fd/" + log)).endsWith(file.getFileName())) {
                return log;
            }
            Posix.close(log);
        }
        throw new Failure(file, "is a symbolic link: name what it leads to");
    }

    /** Says that the raw files can be read. */
    void ready() throws IOException {
        if (pidFile.isPresent()) {
            writeNew(pidFile.get(), ProcessHandle.current().pid() + "\n");
        }
        if (toParent) {
            Background.tellReady();
        }
        if (log >= 0) {
            Posix.redirectOutputTo(log);
        }
    }

    /** In a file that nobody else has made, and nobody else may read; what was there, if only a link, is gone. */
    private static void writeNew(Path file, String text) throws IOException {
        Files.deleteIfExists(file);
        var options = Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        var owner = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
        try (SeekableByteChannel out = Files.newByteChannel(file, options, owner)) {
            out.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII)));
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
