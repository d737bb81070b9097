package io.qfuse.qcow2;

import io.qfuse.qcow2.CreateOptions.Backing;
import io.qfuse.qcow2.CreateOptions.DataFile;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.create.ImageBuilder;
import io.qfuse.qcow2.create.NewImage;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.ImageLock;
import io.qfuse.qcow2.io.NativeHostFile;
import io.qfuse.qcow2.reference.FileReference;
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

/** Makes new images. */
final class ImageCreator {

    private ImageCreator() {}

    /**
     * Makes an image; on return it is durable. An image that is replaced is there whole until the new one is.
     *
     * @param path where; a symbolic link is followed when overwriting
     * @param options what it is to be like
     * @throws Qcow2Exception where the image is not possible, the backing file is missing, or there is a file already
     * @throws IOException where the host fails; nothing new is left behind then
     */
    static void create(Path path, CreateOptions options) throws IOException {
        NewImage image = NewImage.plan(options.withSize(size(path, options)), path);
        boolean exists = Files.exists(path, LinkOption.NOFOLLOW_LINKS);
        if (exists && !options.overwrite()) {
            throw alreadyThere(path);
        }
        Path data = createDataFile(path, options, image);
        boolean done = false;
        try {
            if (exists) {
                replace(path.toRealPath(), path, image);
            } else {
                writeNew(path, image);
            }
            syncDirectory(path.toAbsolutePath());
            done = true;
        } catch (FileAlreadyExistsException e) {
            throw alreadyThere(path);
        } catch (NoSuchFileException e) {
            throw unsupported(path, "its directory does not exist");
        } finally {
            if (!done && data != null) {
                Files.deleteIfExists(data);
            }
        }
    }

    /** Begins an image in an empty file, to be written in the order of its guest clusters. */
    static ImageBuilder begin(HostFile file, CreateOptions options) throws IOException {
        Path path = file.path();
        return new ImageBuilder(file, options.withSize(size(path, options)), path);
    }

    /** Makes the external data file, all zeroes; one that is there is never touched, since an image may need it. */
    private static @Nullable Path createDataFile(Path path, CreateOptions options, NewImage image) throws IOException {
        DataFile dataFile = options.dataFile();
        if (dataFile == null) {
            return null;
        }
        FileReference reference = FileReference.parse(dataFile.file(), "external data file", path);
        if (reference.tree()) {
            throw unsupported(path, "an external data file is made by its plain name only");
        }
        Path file = path.toAbsolutePath().resolveSibling(reference.name());
        if (file.equals(path.toAbsolutePath())) {
            throw unsupported(path, "it cannot be its own data file");
        }
        try {
            Files.createFile(file);
        } catch (FileAlreadyExistsException e) {
            throw unsupported(path, "the data file " + file + " is there already");
        } catch (NoSuchFileException e) {
            throw unsupported(path, "the directory of the data file " + file + " does not exist");
        }
        try (NativeHostFile data = NativeHostFile.open(file, true)) {
            data.truncate(image.dataFileLength());
            data.sync();
            syncDirectory(file);
            return file;
        } catch (IOException | RuntimeException e) {
            Files.deleteIfExists(file);
            throw e;
        }
    }

    private static long size(Path path, CreateOptions options) throws IOException {
        Backing backing = options.backing();
        if (backing == null) {
            if (options.size() < 0) {
                throw unsupported(path, "an image without a backing file needs a size");
            }
            return options.size();
        }
        String name = backing.file();
        int colon = name.indexOf(':');
        if (name.isEmpty() || name.indexOf('\0') >= 0) {
            throw unsupported(path, "'" + name + "' cannot be the name of a backing file");
        }
        if (name.substring(0, Math.max(colon, 0)).indexOf('/') < 0 && colon >= 0) {
            throw unsupported(
                    path,
                    "the backing file '" + name + "' names a protocol; only files are supported (./ before a name"
                            + " with a colon makes it one)");
        }
        Path file = path.toAbsolutePath().resolveSibling(name);
        if (!Files.exists(file)) {
            throw unsupported(path, "the backing file " + file.normalize() + " does not exist");
        }
        if (Files.exists(path) && Files.isSameFile(file, path)) {
            throw unsupported(path, "it cannot be its own backing file");
        }
        long size = backingSize(file, backing.format(), path);
        return options.size() < 0 ? size : options.size();
    }

    private static long backingSize(Path file, String format, Path path) throws IOException {
        try (NativeHostFile backing = NativeHostFile.open(file, false)) {
            return switch (format) {
                case "raw" -> backing.size();
                case "qcow2" -> {
                    Header header = HeaderReader.read(backing);
                    yield header.size();
                }
                default ->
                    throw unsupported(path, "the backing format '" + format + "' is not supported: use qcow2 or raw");
            };
        }
    }

    private static void writeNew(Path path, NewImage image) throws IOException {
        Files.createFile(path);
        try (NativeHostFile file = NativeHostFile.open(path, true)) {
            image.writeTo(file);
        } catch (IOException | RuntimeException e) {
            Files.deleteIfExists(path);
            throw e;
        }
    }

    private static void replace(Path real, Path named, NewImage image) throws IOException {
        if (!Files.isRegularFile(real)) {
            throw unsupported(named, "it is there already and is no regular file");
        }
        Path beside = real.resolveSibling(
                "." + real.getFileName() + "." + ProcessHandle.current().pid() + ".new");
        try (NativeHostFile old = NativeHostFile.open(real, true)) {
            ImageLock.acquire(old, ImageLock.Mode.WRITE); // nobody may be using what is replaced; closing unlocks
            writeNew(beside, image);
            try {
                Files.setPosixFilePermissions(beside, Files.getPosixFilePermissions(real));
                Files.move(beside, real, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } finally {
                Files.deleteIfExists(beside);
            }
        }
    }

    private static void syncDirectory(Path path) throws IOException {
        Path directory = path.getParent();
        if (directory != null) {
            try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
                channel.force(true);
            }
        }
    }

    private static Qcow2Exception alreadyThere(Path path) {
        return unsupported(path, "there is a file of that name already");
    }

    private static Qcow2Exception unsupported(Path path, String why) {
        return new Qcow2Exception(Kind.UNSUPPORTED, path, why);
    }
}
