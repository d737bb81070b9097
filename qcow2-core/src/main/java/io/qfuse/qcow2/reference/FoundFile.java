package io.qfuse.qcow2.reference;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/**
 * The file that an image's reference means on this host.
 *
 * @param path the file as it is named, absolute; it need not be there
 * @param real the same with all links followed, as far as it is there
 * @param outside whether it lies outside the image's own directory
 */
public record FoundFile(Path path, Path real, boolean outside) {

    /**
     * Looks in the image's own directory only: as plain names of backing files are meant.
     *
     * @throws Qcow2Exception where no file can have that name
     */
    public static FoundFile beside(Path image, FileReference reference) throws IOException {
        return of(image, toPath(image, reference.name()));
    }

    /**
     * Looks in the image's own directory, and where nothing is there in the current directory, where QEMU looks for all names but
     * plain ones of backing files.
     *
     * @throws Qcow2Exception where no file can have that name
     */
    public static FoundFile besideOrHere(Path image, FileReference reference) throws IOException {
        Path beside = toPath(image, reference.name());
        Path here = Path.of(reference.name()).toAbsolutePath();
        return of(image, !Files.exists(beside) && Files.exists(here) ? here : beside);
    }

    private static Path toPath(Path image, String name) throws Qcow2Exception {
        try {
            return image.toAbsolutePath().resolveSibling(name);
        } catch (InvalidPathException e) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED, image, "no file can be named \"" + name + "\": " + e.getReason());
        }
    }

    private static FoundFile of(Path image, Path path) throws IOException {
        Path directory = real(image.toAbsolutePath().resolveSibling(""));
        Path real = real(path);
        return new FoundFile(path, real, !real.startsWith(directory));
    }

    /** What is not there is where its name says. */
    private static Path real(Path path) throws IOException {
        return Files.exists(path) ? path.toRealPath() : path.normalize();
    }
}
