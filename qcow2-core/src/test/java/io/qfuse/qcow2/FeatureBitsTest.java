package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.format.HeaderField;
import io.qfuse.qcow2.io.NativeBuffer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every line of the table of feature bits (format notes, section 2): read-only, opened for writing, and written. */
final class FeatureBitsTest {

    private static final int COMPATIBLE = 80;
    private static final int SIZE = 1 << 20;

    @TempDir
    private Path directory;

    /**
     * A line of the table.
     *
     * @param name what is set
     * @param options of the image
     * @param word where the feature bits are, in bytes from the file's start
     * @param bits those that are set
     * @param readOnly what is said when it is opened read-only; empty where it is served
     * @param writable what is said when it is opened for writing; empty where it is served
     * @param opened the bits that are left once it was opened for writing and closed
     * @param written the bits that are left once it was written to
     */
    record Line(
            String name,
            String options,
            int word,
            long bits,
            String readOnly,
            String writable,
            long opened,
            long written) {

        static Line served(String name, int word, long bits, long opened, long written) {
            return new Line(name, "", word, bits, "", "", opened, written);
        }

        static Line refused(String name, String options, long bits, String why) {
            return new Line(name, options, HeaderField.INCOMPATIBLE, bits, why, why, bits, bits);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    static List<Line> lines() {
        int incompatible = HeaderField.INCOMPATIBLE;
        String corrupt =
                "marked corrupt (incompatible feature bit 1): it can be read, but only a repair may write to it";
        return List.of(
                Line.served("dirty", incompatible, 1, 0, 0),
                new Line("corrupt", "", incompatible, 2, "", corrupt, 2, 2),
                new Line("dirty and corrupt", "", incompatible, 3, "", corrupt, 3, 3),
                Line.refused(
                        "compression type without the field",
                        "",
                        8,
                        "compression_type is 0, but incompatible_features is 0x8, with bit 3 set"),
                Line.refused(
                        "the field without compression type",
                        "compression_type=zstd",
                        0,
                        "compression_type is 1, but incompatible_features is 0x0, with bit 3 clear"),
                new Line("compression type", "compression_type=zstd", incompatible, 8, "", "", 8, 8),
                new Line("extended L2", "extended_l2=on", incompatible, 16, "", "", 16, 16),
                Line.refused(
                        "extended L2 with small clusters",
                        "cluster_size=8k",
                        16,
                        "cluster_bits is 13, too small for extended L2 entries"),
                Line.refused(
                        "an unknown incompatible feature with a name",
                        "",
                        1L << 5,
                        "incompatible_features is 0x20, with unknown bit 5 (zoned)"),
                Line.refused(
                        "unknown incompatible features without names",
                        "",
                        1L << 6 | 1L << 63,
                        "incompatible_features is 0x8000000000000040, with unknown bit 6, bit 63"),
                Line.refused(
                        "dirty and unknown",
                        "",
                        1 | 1L << 40,
                        "incompatible_features is 0x10000000001, with unknown bit 40"),
                Line.served("lazy refcounts", COMPATIBLE, 1, 1, 1),
                Line.served("unknown compatible features", COMPATIBLE, -2, -2, -2),
                Line.served("unknown autoclear features", HeaderField.AUTOCLEAR, -4, -4, 0));
    }

    @ParameterizedTest
    @MethodSource("lines")
    void read_only_is_served_or_refused_and_changes_no_byte(Line line) throws IOException {
        Path image = image(line);
        byte[] before = Files.readAllBytes(image);
        if (line.readOnly.isEmpty()) {
            try (Disk disk = Images.open(image, OpenOptions.readOnly());
                    NativeBuffer buffer = NativeBuffer.allocate(SIZE)) {
                assertThat(disk.writable()).isFalse();
                assertThat(TestDisk.read(disk, 0, SIZE, buffer)).isEqualTo(content());
                disk.flush();
            }
        } else {
            assertRefused(image, OpenOptions.readOnly(), line.readOnly);
        }
        assertThat(Files.readAllBytes(image)).isEqualTo(before);
    }

    @ParameterizedTest
    @MethodSource("lines")
    void opening_for_writing_is_refused_or_changes_no_byte_but_the_dirty_bit(Line line) throws IOException {
        Path image = image(line);
        byte[] before = Files.readAllBytes(image);
        if (line.writable.isEmpty()) {
            try (Disk disk = Images.open(image, OpenOptions.readWrite());
                    NativeBuffer buffer = NativeBuffer.allocate(SIZE)) {
                assertThat(disk.writable()).isTrue();
                assertThat(TestDisk.read(disk, 0, SIZE, buffer)).isEqualTo(content());
                disk.flush();
            }
        } else {
            assertRefused(image, OpenOptions.readWrite(), line.writable);
        }
        ByteBuffer.wrap(before).putLong(line.word, line.opened);
        assertThat(Files.readAllBytes(image)).isEqualTo(before);
    }

    @ParameterizedTest
    @MethodSource("lines")
    void a_written_image_keeps_what_it_may_and_loses_what_is_not_kept_up_to_date(Line line) throws IOException {
        Path image = image(line);
        byte[] content = content();
        if (line.writable.isEmpty()) {
            try (Disk disk = Images.open(image, OpenOptions.readWrite());
                    NativeBuffer buffer = NativeBuffer.allocate(4096)) {
                NativeBuffer.zero(buffer.address(), 4096);
                disk.write(1000, buffer.address(), 4096);
                Arrays.fill(content, 1000, 5096, (byte) 0);
            }
            try (Disk disk = Images.open(image, OpenOptions.readOnly());
                    NativeBuffer buffer = NativeBuffer.allocate(SIZE)) {
                assertThat(TestDisk.read(disk, 0, SIZE, buffer)).isEqualTo(content);
            }
        }
        assertThat(ByteBuffer.wrap(Files.readAllBytes(image)).getLong(line.word))
                .isEqualTo(line.written);
    }

    private static void assertRefused(Path image, OpenOptions how, String why) {
        assertThatThrownBy(() -> Images.open(image, how).close())
                .isInstanceOf(Qcow2Exception.class)
                .hasMessage(image + ": " + why);
    }

    private static byte[] content() {
        byte[] content = new byte[SIZE];
        Arrays.fill(content, 0, 70_000, (byte) 5);
        return content;
    }

    /** An image with some content, whose feature name table calls the incompatible bit 5 zoned. */
    private Path image(Line line) throws IOException {
        Path image = directory.resolve("disk.qcow2");
        CreateOptions options = CreateOptions.parse(line.options.isEmpty() ? List.of() : List.of(line.options));
        ImageCreator.create(image, options.withSize(SIZE));
        try (Disk disk = Images.open(image, OpenOptions.readWrite());
                NativeBuffer buffer = NativeBuffer.allocate(70_000)) {
            NativeBuffer.put(buffer.address(), content(), 0, 70_000);
            disk.write(0, buffer.address(), 70_000);
        }
        byte[] bytes = Files.readAllBytes(image);
        ByteBuffer.wrap(bytes).putLong(line.word, line.bits);
        // The table that new images have begins with the names of the incompatible bits 0 and 1.
        int first = new String(bytes, 0, 512, StandardCharsets.ISO_8859_1).indexOf("dirty bit") - 2;
        byte[] name = "zoned\0\0\0\0".getBytes(StandardCharsets.ISO_8859_1);
        bytes[first + 1] = 5;
        System.arraycopy(name, 0, bytes, first + 2, name.length);
        Files.write(image, bytes);
        return image;
    }
}
