package io.qfuse.qcow2.transfer;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.io.ImageLock;
import io.qfuse.qcow2.io.NativeHostFile;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/**
 * A file that gets its name when it is whole. Until then it lies beside its place under a name of its own, and goes away when it is
 * closed or the process is told to end (SIGINT, SIGTERM, SIGHUP).
 *
 * <p>A file that is replaced stays whole and locked until then.
 */
final class NewFile implements AutoCloseable {

    private enum State {
        WRITTEN,
        PUBLISHED,
        GIVEN_UP
    }

    private final Path target;
    private final Path beside;
    private final @Nullable NativeHostFile old;
    private final Thread atExit = new Thread(this::giveUpAtExit, "give-up");
    private @Nullable Path companion;
    private State state = State.WRITTEN;

    private NewFile(Path target, Path beside, @Nullable NativeHostFile old) {
        this.target = target;
        this.beside = beside;
        this.old = old;
    }

    /**
     * A new file, empty.
     *
     * @param named where it is to be; a symbolic link to what is replaced is followed
     * @param replace whether a regular file that is there, and that nobody is using, is replaced
     */
    static NewFile at(Path named, boolean replace) throws IOException {
        boolean exists = Files.exists(named, LinkOption.NOFOLLOW_LINKS);
        if (exists && !replace) {
            throw alreadyThere(named);
        }
        NativeHostFile old = exists ? openLocked(named) : null;
        try {
            Path target = exists ? named.toRealPath() : named.toAbsolutePath();
            Path beside = target.resolveSibling(
                    "." + target.getFileName() + "." + ProcessHandle.current().pid() + ".new");
            NewFile file = new NewFile(target, beside, old);
            Runtime.getRuntime().addShutdownHook(file.atExit);
            file.create(named);
            return file;
        } catch (IOException | RuntimeException e) {
            closeAfter(e, old);
            throw e;
        }
    }

    private static NativeHostFile openLocked(Path named) throws IOException {
        if (!Files.isRegularFile(named)) {
            throw new Qcow2Exception(Kind.UNSUPPORTED, named, "it is there already and is no regular file");
        }
        NativeHostFile old = NativeHostFile.open(named, true);
        try {
            ImageLock.acquire(old, ImageLock.Mode.WRITE);
            return old;
        } catch (IOException | RuntimeException e) {
            closeAfter(e, old);
            throw e;
        }
    }

    private static void closeAfter(Exception failure, @Nullable NativeHostFile old) {
        if (old != null) {
            try {
                old.close();
            } catch (IOException e) {
                failure.addSuppressed(e);
            }
        }
    }

    private void create(Path named) throws IOException {
        try {
            Files.createFile(beside);
        } catch (NoSuchFileException e) {
            forgetExit();
            throw new Qcow2Exception(Kind.UNSUPPORTED, named, "its directory does not exist");
        } catch (IOException | RuntimeException e) {
            forgetExit();
            throw e;
        }
    }

    /** Where the file is written. */
    Path path() {
        return beside;
    }

    /** Has another file go away with this one, if it does. */
    synchronized void goesWith(Path other) {
        companion = other;
    }

    /** Gives the file, whose content is durable, its name. */
    synchronized void publish() throws IOException {
        if (state != State.WRITTEN) {
            throw new IOException(target + ": given up, as the program is ending");
        }
        if (old != null) {
            Files.setPosixFilePermissions(beside, Files.getPosixFilePermissions(target));
            Files.move(beside, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } else {
            moveToFreeName();
        }
        state = State.PUBLISHED;
        Path directory = target.getParent();
        if (directory != null) {
            try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
                channel.force(true);
            }
        }
    }

    private void moveToFreeName() throws IOException {
        try {
            Files.move(beside, target);
        } catch (FileAlreadyExistsException e) {
            throw alreadyThere(target);
        }
    }

    private synchronized void giveUp() throws IOException {
        if (state == State.WRITTEN) {
            state = State.GIVEN_UP;
            Files.deleteIfExists(beside);
            if (companion != null) {
                Files.deleteIfExists(companion);
            }
        }
    }

    private void giveUpAtExit() {
        try {
            giveUp();
        } catch (IOException e) {
            System.getLogger(NewFile.class.getPackageName())
                    .log(System.Logger.Level.ERROR, beside + " is left behind: " + e.getMessage());
        }
    }

    private void forgetExit() {
        try {
            Runtime.getRuntime().removeShutdownHook(atExit);
        } catch (IllegalStateException e) {
            // The process is ending, and the hook does its work or has done it.
        }
    }

    /** Gives the file up unless it has its name. */
    @Override
    public void close() throws IOException {
        forgetExit();
        try (old) {
            giveUp();
        }
    }

    private static Qcow2Exception alreadyThere(Path path) {
        return new Qcow2Exception(
                Kind.UNSUPPORTED,
                path,
                "there is a file of that name already (--force replaces it, -n writes into it)");
    }
}
