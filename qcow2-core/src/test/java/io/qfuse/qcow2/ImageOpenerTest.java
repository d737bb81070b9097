package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderCodec;
import io.qfuse.qcow2.format.HeaderExtension;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.io.NativeHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Opening images with their chains: what goes wrong is said in one line, and nothing stays open. */
final class ImageOpenerTest {

    private static final CreateOptions SMALL = CreateOptions.ofSize(1 << 20);

    @TempDir
    Path directory;

    @AfterEach
    void nothing_stays_open() throws IOException {
        assertThat(openFiles()).isEmpty();
    }

    private List<Path> openFiles() throws IOException {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return descriptors
                    .flatMap(descriptor -> {
                        try {
                            return Stream.of(Files.readSymbolicLink(descriptor));
                        } catch (IOException e) {
                            return Stream.empty(); // the one that lists them
                        }
                    })
                    .filter(target -> target.startsWith(directory))
                    .toList();
        }
    }

    private Path create(String name, CreateOptions options) throws IOException {
        Path path = directory.resolve(name);
        ImageCreator.create(path, options);
        return path;
    }

    private AbstractThrowableAssert<?, ?> assertThatOpening(Path path, OpenOptions options) {
        return assertThatThrownBy(() -> Images.open(path, options).close())
                .isInstanceOf(IOException.class)
                .hasMessageNotContaining("\n");
    }

    private AbstractThrowableAssert<?, ?> assertThatOpening(Path path) {
        return assertThatOpening(path, OpenOptions.readWrite());
    }

    private static void replaceBytes(Path path, String from, String to) throws IOException {
        String bytes = Files.readString(path, StandardCharsets.ISO_8859_1);
        assertThat(bytes).contains(from);
        Files.writeString(path, bytes.replace(from, to), StandardCharsets.ISO_8859_1);
    }

    private static void forgetBackingFormat(Path path) throws IOException {
        try (NativeHostFile file = NativeHostFile.open(path, true)) {
            Header header = HeaderReader.read(file).withExtensions(List.of());
            byte[] encoded = HeaderCodec.encode(header, path);
            file.write(0, encoded, 0, encoded.length);
        }
    }

    @Test
    void missing_image_is_named_with_the_words_of_the_host() {
        assertThatOpening(directory.resolve("nowhere")).hasMessageContainingAll("nowhere", "No such file or directory");
    }

    @Test
    void directory_is_no_image() {
        assertThatOpening(directory).hasMessageContainingAll(directory.toString(), "Is a directory");
        assertThatOpening(directory, OpenOptions.readOnly()).hasMessageContaining("Is a directory");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 3, 71, 104, 600, 70_000})
    void truncated_file_is_refused(int length) throws IOException {
        Path path = create("cut", SMALL);
        Files.write(path, Arrays.copyOf(Files.readAllBytes(path), length));
        assertThatOpening(path).isInstanceOf(Qcow2Exception.class).hasMessageContaining("cut");
    }

    @Test
    void missing_backing_file_is_named() throws IOException {
        Path base = create("base", SMALL);
        create("middle", SMALL.withBacking("base", "qcow2"));
        Path top = create("top", SMALL.withBacking("middle", "qcow2"));
        Files.delete(base);
        assertThatOpening(top).hasMessageContainingAll(base.toString(), "No such file or directory");
    }

    @Test
    void image_that_is_its_own_backing_file_is_a_loop() throws IOException {
        Path other = create("itself", SMALL);
        Path path = create("over", SMALL.withBacking("itself", "qcow2"));
        Files.move(path, other, StandardCopyOption.REPLACE_EXISTING);
        assertThatOpening(other).hasMessageContainingAll("itself", "loop");
    }

    @Test
    void two_images_that_back_each_other_are_a_loop_also_through_a_link() throws IOException {
        Path one = create("one", SMALL);
        Files.createSymbolicLink(directory.resolve("link"), one);
        Path two = create("two", SMALL.withBacking("link", "qcow2"));
        Files.delete(one);
        create("one", SMALL.withBacking("two", "qcow2"));
        assertThatOpening(two).hasMessageContaining("loop");
        assertThatOpening(one, OpenOptions.readOnly()).hasMessageContaining("loop");
    }

    @ParameterizedTest
    @CsvSource({"nbd_//localhost, nbd://localhost", "json_{}, json:{}", "fat_disk, fat:disk"})
    void protocols_are_refused_by_name(String file, String name) throws IOException {
        Path base = directory.resolve(file);
        Files.createDirectories(base.getParent());
        Files.write(base, new byte[512]);
        Path top = create("top", SMALL.withBacking(file, "raw"));
        replaceBytes(top, file, name);
        assertThatOpening(top).hasMessageContainingAll("top", name);
    }

    @Test
    void name_with_a_colon_behind_a_slash_is_a_file() throws IOException {
        Files.write(directory.resolve("a:b"), new byte[512]);
        Images.open(create("top", SMALL.withBacking("./a:b", "raw")), OpenOptions.readOnly())
                .close();
    }

    @Test
    void missing_backing_format_names_the_option_that_gives_it() throws IOException {
        create("base", SMALL);
        Path top = create("top", SMALL.withBacking("base", "qcow2"));
        forgetBackingFormat(top);
        assertThatOpening(top).hasMessageContainingAll("top", "base", "--backing-format");
        OpenOptions given = OpenOptions.readWrite().withBackingFormat("qcow2");
        Images.open(top, given).close();
    }

    @Test
    void the_format_that_is_given_holds_for_layers_further_down_too() throws IOException {
        create("base", SMALL);
        forgetBackingFormat(create("middle", SMALL.withBacking("base", "qcow2")));
        Path top = create("top", SMALL.withBacking("middle", "qcow2"));
        assertThatOpening(top).hasMessageContainingAll("middle", "base", "--backing-format");
        Images.open(top, OpenOptions.readWrite().withBackingFormat("qcow2")).close();
    }

    @Test
    void without_backing_nothing_below_is_looked_at() throws IOException {
        Path base = create("base", SMALL);
        Path top = create("top", SMALL.withBacking("base", "qcow2"));
        Files.delete(base);
        try (Disk disk = Images.open(top, OpenOptions.readWrite().withBacking(false))) {
            assertThat(disk.nextExtent(0)).isEqualTo(new Extent(Extent.Kind.HOLE, 0, SMALL.size()));
        }
    }

    @Test
    void a_tree_that_wraps_a_file_gives_its_format_where_none_is_recorded() throws IOException {
        create("base", SMALL);
        String tree = "json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"base\"}}";
        Path top = create("top", SMALL);
        nameBacking(top, tree, "");
        Images.open(top, OpenOptions.readWrite()).close();
        nameBacking(top, tree, "qcow2");
        Images.open(top, OpenOptions.readWrite()).close();
        nameBacking(top, tree, "raw");
        assertThatOpening(top).hasMessageContainingAll("top", "is raw", "is qcow2");
        nameBacking(top, tree.replace("base", "elsewhere/base"), "");
        assertThatOpening(top).hasMessageContainingAll("elsewhere/base", "No such file");
    }

    private static void nameBacking(Path path, String name, String format) throws IOException {
        try (NativeHostFile file = NativeHostFile.open(path, true)) {
            byte[] empty = HeaderCodec.encode(HeaderReader.read(file).withExtensions(List.of()), path);
            byte[] type = format.getBytes(StandardCharsets.US_ASCII);
            byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
            Arrays.fill(empty, 112, empty.length, (byte) 0);
            ByteBuffer cluster = ByteBuffer.wrap(empty);
            cluster.putLong(8, 512).putInt(16, bytes.length);
            if (!format.isEmpty()) {
                cluster.putInt(112, HeaderExtension.BACKING_FORMAT)
                        .putInt(116, type.length)
                        .put(120, type);
            }
            file.write(0, cluster.put(512, bytes).array(), 0, empty.length);
        }
    }

    @Test
    void other_backing_format_is_refused_by_name() throws IOException {
        create("base", SMALL);
        Path top = create("top", SMALL.withBacking("base", "qcow2"));
        replaceBytes(top, "qcow2", "vhdx1");
        assertThatOpening(top).hasMessageContainingAll("top", "vhdx1", "base");
    }

    @Test
    void raw_base_is_never_taken_for_an_image() throws IOException {
        Path base = create("base", SMALL);
        Path top = create("top", SMALL.withBacking("base", "raw"));
        try (Disk disk = Images.open(top, OpenOptions.readOnly());
                NativeBuffer buffer = NativeBuffer.allocate(4)) {
            assertThat(TestDisk.read(disk, 0, 4, buffer))
                    .isEqualTo(Arrays.copyOf(Files.readAllBytes(base), 4))
                    .startsWith('Q', 'F', 'I');
        }
    }

    @Test
    void backing_file_that_is_no_image_is_named() throws IOException {
        Path base = create("base", SMALL);
        Path top = create("top", SMALL.withBacking("base", "qcow2"));
        Files.write(base, new byte[100_000]);
        assertThatOpening(top).isInstanceOf(Qcow2Exception.class).hasMessageContaining(base.toString());
    }

    @Test
    void chain_reads_as_its_layers_say_however_they_differ() throws IOException {
        Random random = new Random(4);
        byte[] model = new byte[700_123];
        random.nextBytes(model);
        Files.write(directory.resolve("layer0"), model);
        model = Arrays.copyOf(model, 700_416); // up to whole sectors
        for (int i = 1; i <= 20; i++) {
            int size = 512 * (i == 10 ? 500 : 1000 + random.nextInt(1000));
            int clusterSize = 512 << random.nextInt(9);
            String kind = clusterSize < 16 << 10 ? "compat=0.10" : "extended_l2=on";
            CreateOptions options = CreateOptions.parse(
                            List.of("cluster_size=" + clusterSize + (i % 2 == 0 ? "" : "," + kind)))
                    .withSize(size)
                    .withBacking("layer" + (i - 1), i == 1 ? "raw" : "qcow2");
            Path path = create("layer" + i, options);
            model = Arrays.copyOf(model, size);
            try (Disk disk = Images.open(path, OpenOptions.readWrite());
                    NativeBuffer buffer = NativeBuffer.allocate(size)) {
                for (int j = 0; j < 4; j++) {
                    change(disk, model, random, buffer);
                }
                assertThat(TestDisk.read(disk, 0, size, buffer)).isEqualTo(model);
            }
        }
        try (Disk disk = Images.open(directory.resolve("layer20"), OpenOptions.readOnly());
                NativeBuffer buffer = NativeBuffer.allocate(model.length)) {
            assertThat(openFiles()).hasSize(21);
            assertThat(TestDisk.read(disk, 0, model.length, buffer)).isEqualTo(model);
            for (long at = 0; at < model.length; ) {
                Extent extent = disk.nextExtent(at);
                for (long i = at; extent.isHole() && i < extent.end(); i++) {
                    assertThat(model[(int) i]).as("byte %d of %s", i, extent).isZero();
                }
                at = extent.end();
            }
        }
    }

    private static void change(Disk disk, byte[] model, Random random, NativeBuffer buffer) throws IOException {
        int length = 1 + random.nextInt(60_000);
        int offset = random.nextInt(model.length - length);
        byte[] bytes = new byte[length];
        if (random.nextInt(4) == 0) {
            disk.writeZeroes(offset, length, true);
        } else {
            random.nextBytes(bytes);
            NativeBuffer.put(buffer.address(), bytes, 0, length);
            disk.write(offset, buffer.address(), length);
        }
        System.arraycopy(bytes, 0, model, offset, length);
    }

    @Test
    void failed_opening_leaves_no_lock() throws IOException {
        create("base", SMALL);
        Path top = create("top", SMALL.withBacking("base", "qcow2"));
        Files.move(directory.resolve("base"), directory.resolve("away"));
        assertThatOpening(top);
        Files.move(directory.resolve("away"), directory.resolve("base"));
        try (Disk disk = Images.open(top, OpenOptions.readWrite())) {
            assertThat(disk.writable()).isTrue();
            assertThatOpening(top)
                    .isInstanceOfSatisfying(
                            Qcow2Exception.class, e -> assertThat(e.kind()).isEqualTo(Qcow2Exception.Kind.LOCKED));
        }
    }
}
