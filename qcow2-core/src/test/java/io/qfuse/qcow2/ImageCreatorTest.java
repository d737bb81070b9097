package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.ImageLock;
import io.qfuse.qcow2.io.NativeHostFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ImageCreatorTest {

    private static final CreateOptions MEGABYTE = CreateOptions.ofSize(1 << 20);

    @TempDir
    private Path directory;

    @AfterEach
    void no_temporary_file_is_left() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .noneMatch(name -> name.startsWith(".") || name.endsWith(".new"));
        }
    }

    @Test
    void a_size_is_rounded_up_to_512() throws IOException {
        Path path = create("a", CreateOptions.ofSize(100_001));
        assertThat(header(path).size()).isEqualTo(100_352);
    }

    @Test
    void a_file_that_is_there_is_not_touched_unless_asked_to() throws IOException {
        Path path = Files.writeString(directory.resolve("a"), "precious");
        assertRefused(path, MEGABYTE, "there is a file of that name already");
        assertThat(path).hasContent("precious");
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
        ImageCreator.create(path, MEGABYTE.withOverwrite(true));
        assertThat(header(path).size()).isEqualTo(1 << 20);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
                .isEqualTo("rw-------");
    }

    @Test
    void a_data_file_is_made_beside_the_image_and_never_replaced() throws IOException {
        Path path = create("a", MEGABYTE.withDataFile("data", false));
        Path data = directory.resolve("data");
        assertThat(data).hasSize(1 << 20);
        assertThat(header(path).dataFile()).isEqualTo("data");
        Files.writeString(data, "precious");
        assertRefused(
                path,
                MEGABYTE.withOverwrite(true).withDataFile("data", true),
                "the data file " + data + " is there already");
        assertThat(data).hasContent("precious");
        assertRefused(directory.resolve("b"), MEGABYTE.withDataFile("b", false), "it cannot be its own data file");
        assertRefused(path, MEGABYTE.withDataFile("other", false), "there is a file of that name already");
        assertThat(directory.resolve("other")).doesNotExist();
    }

    @Test
    void an_image_in_use_is_not_replaced() throws IOException {
        Path path = create("a", MEGABYTE);
        try (NativeHostFile user = NativeHostFile.open(path, false)) {
            ImageLock.acquire(user, ImageLock.Mode.READ);
            assertThatThrownBy(() -> ImageCreator.create(path, MEGABYTE.withOverwrite(true)))
                    .isInstanceOfSatisfying(
                            Qcow2Exception.class, e -> assertThat(e.kind()).isEqualTo(Kind.LOCKED));
        }
    }

    @Test
    void a_link_is_followed_and_a_directory_is_not_replaced() throws IOException {
        Path path = create("a", MEGABYTE);
        Path link = Files.createSymbolicLink(directory.resolve("link"), path);
        ImageCreator.create(link, CreateOptions.ofSize(2 << 20).withOverwrite(true));
        assertThat(link).isSymbolicLink();
        assertThat(header(path).size()).isEqualTo(2 << 20);
        assertRefused(directory, MEGABYTE.withOverwrite(true), "it is there already and is no regular file");
    }

    @Test
    void a_missing_directory_is_told() {
        assertRefused(directory.resolve("no/a"), MEGABYTE, "its directory does not exist");
    }

    @Test
    void the_size_comes_from_the_backing_file_unless_given() throws IOException {
        create("base", CreateOptions.ofSize(3 << 20));
        CreateOptions overlay = CreateOptions.ofSize(CreateOptions.SIZE_OF_BACKING);
        Path same = create("same", overlay.withBacking("base", "qcow2"));
        assertThat(header(same).size()).isEqualTo(3 << 20);
        assertThat(header(same).backingFile()).isEqualTo("base");
        assertThat(header(same).backingFormat()).isEqualTo("qcow2");
        Files.write(directory.resolve("raw"), new byte[1000]);
        assertThat(header(create("over", overlay.withBacking("raw", "raw"))).size())
                .isEqualTo(1024);
        assertThat(header(create("larger", MEGABYTE.withBacking("raw", "raw"))).size())
                .isEqualTo(1 << 20);
    }

    @Test
    void a_backing_file_that_cannot_be_is_refused() throws IOException {
        Path path = directory.resolve("a");
        assertRefused(path, CreateOptions.ofSize(-1), "an image without a backing file needs a size");
        assertRefused(
                path,
                MEGABYTE.withBacking("no", "raw"),
                "the backing file " + directory.resolve("no") + " does not exist");
        assertRefused(path, MEGABYTE.withBacking("", "raw"), "'' cannot be the name of a backing file");
        assertRefused(
                path,
                MEGABYTE.withBacking("nbd:host", "raw"),
                "the backing file 'nbd:host' names a protocol; only files are supported (./ before a name with a colon"
                        + " makes it one)");
        Files.createFile(directory.resolve("raw"));
        assertRefused(
                path,
                MEGABYTE.withBacking("raw", "vmdk"),
                "the backing format 'vmdk' is not supported: use qcow2 or raw");
        assertThatThrownBy(() -> ImageCreator.create(path, MEGABYTE.withBacking("raw", "qcow2")))
                .hasMessageContaining("not a qcow2 image");
        Path self = create("self", MEGABYTE);
        assertRefused(
                self, MEGABYTE.withBacking("self", "qcow2").withOverwrite(true), "it cannot be its own backing file");
        assertThat(path).doesNotExist();
    }

    private Path create(String name, CreateOptions options) throws IOException {
        Path path = directory.resolve(name);
        ImageCreator.create(path, options);
        return path;
    }

    private static Header header(Path path) throws IOException {
        try (NativeHostFile file = NativeHostFile.open(path, false)) {
            return HeaderReader.read(file);
        }
    }

    private static void assertRefused(Path path, CreateOptions options, String why) {
        assertThatThrownBy(() -> ImageCreator.create(path, options))
                .isInstanceOf(Qcow2Exception.class)
                .hasMessage(path + ": " + why);
    }
}
