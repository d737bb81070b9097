package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What stands in cluster 0 behind the fields that everybody knows: longer headers, extensions, the backing file's name
 * (format notes, sections 1 and 3).
 */
final class HeaderAreaTest {

    private static final int CLUSTER = 4096;
    private static final int SIZE = 1 << 20;
    private static final String BASE = "base.raw";
    private static final int BASE_LENGTH = 8;

    /** Fields that change in use: size, L1 table, refcount table. */
    private static final int[][] CHANGING = {{24, 32}, {36, 60}};

    @TempDir
    private Path directory;

    /**
     * A way to fill cluster 0.
     *
     * @param name what is in it
     * @param headerLength the length that it claims; 72 for an image of version 2
     * @param area bytes and where they stand
     * @param backing where the backing file's name stands; 0 for none
     */
    record Layout(String name, int headerLength, List<Part> area, int backing) {

        Layout(String name, int headerLength, Part... area) {
            this(name, headerLength, List.of(area), 0);
        }

        MemoryHostFile image() {
            MemoryHostFile image = new ImageKind(headerLength == 72 ? 2 : 3, 12, 4, false).create(SIZE);
            byte[] cluster = image.bytes(0, CLUSTER);
            Arrays.fill(cluster, Math.min(headerLength, 104), CLUSTER, (byte) 0);
            if (headerLength > 72) {
                ByteBuffer.wrap(cluster).putInt(100, headerLength);
            }
            if (headerLength > 112) {
                byte[] future = new byte[Math.min(headerLength, CLUSTER) - 112];
                new Random(headerLength).nextBytes(future);
                System.arraycopy(future, 0, cluster, 112, future.length);
            }
            for (Part part : area) {
                System.arraycopy(part.bytes, 0, cluster, part.at, part.bytes.length);
            }
            if (backing > 0) {
                byte[] base = BASE.getBytes(StandardCharsets.US_ASCII);
                System.arraycopy(base, 0, cluster, backing, base.length);
                ByteBuffer.wrap(cluster).putLong(8, backing).putInt(16, base.length);
            }
            image.write(0, cluster, 0, CLUSTER);
            return image;
        }

        @Override
        public String toString() {
            return name;
        }
    }

    /** Some bytes of cluster 0. */
    @SuppressWarnings("ArrayRecordComponent") // compared by nobody
    record Part(int at, byte[] bytes) {

        /** An extension, without padding. */
        static Part extension(int at, int type, int claimed, int length) {
            byte[] data = new byte[length];
            new Random(type).nextBytes(data);
            return new Part(
                    at,
                    ByteBuffer.allocate(8 + length)
                            .putInt(type)
                            .putInt(claimed)
                            .put(data)
                            .array());
        }

        static Part extension(int at, int type, int length) {
            return extension(at, type, length, length);
        }
    }

    static List<Layout> sound() {
        List<Layout> layouts = new ArrayList<>();
        layouts.add(new Layout("version 2", 72));
        layouts.add(new Layout("version 2 with an extension", 72, Part.extension(72, 0x1111, 20)));
        for (int length : new int[] {104, 105, 108, 112, 120, 512, CLUSTER}) {
            layouts.add(new Layout("a header of " + length + " bytes", length));
        }
        layouts.add(new Layout(
                "several extensions, one of them empty",
                112,
                Part.extension(112, 0x1111, 5),
                Part.extension(128, 0x2222, 0),
                Part.extension(136, 0x3333, 64),
                Part.extension(208, 0x44415440, 1)));
        layouts.add(new Layout(
                "an extension behind a longer header",
                512,
                Part.extension(512, 0x1111, 33),
                new Part(560, new byte[8])));
        layouts.add(new Layout("an extension behind an odd header", 105, Part.extension(105, 0x1111, 16)));
        layouts.add(new Layout(
                "an extension that fills the cluster to its end", 112, Part.extension(112, 0x1111, CLUSTER - 120)));
        layouts.add(
                new Layout("an extension behind which no other fits", 112, Part.extension(112, 0x1111, CLUSTER - 124)));
        layouts.add(new Layout(
                "garbage behind the end of the extensions",
                112,
                Part.extension(112, 0x1111, 8),
                new Part(136, new byte[] {1, 2, 3, 4, 5}),
                new Part(128, new byte[8])));
        layouts.add(new Layout("a backing name at an odd place", 112, List.of(Part.extension(112, 0x1111, 8)), 1001));
        layouts.add(new Layout(
                "a backing name without an end of extensions", 112, List.of(Part.extension(112, 1, 8)), 128));
        layouts.add(new Layout("a backing name at the cluster's end", 112, List.of(), CLUSTER - BASE_LENGTH));
        layouts.add(new Layout("a backing name in an unknown field", 512, List.of(), 200));
        layouts.add(new Layout("a backing name behind a header of version 2", 72, List.of(), 80));
        return layouts;
    }

    @ParameterizedTest
    @MethodSource("sound")
    void all_of_cluster_0_but_what_changes_is_kept_byte_for_byte(Layout layout) throws IOException {
        MemoryHostFile image = layout.image();
        byte[] before = image.bytes(0, CLUSTER);
        use(image);
        byte[] after = image.bytes(0, CLUSTER);
        for (int[] range : CHANGING) {
            System.arraycopy(before, range[0], after, range[0], range[1] - range[0]);
        }
        assertThat(after).isEqualTo(before);
    }

    @Tag("system")
    @ParameterizedTest
    @MethodSource("sound")
    void qemu_takes_what_we_take(Layout layout) throws IOException {
        MemoryHostFile image = layout.image();
        use(image);
        Path path = directory.resolve("image.qcow2");
        image.saveTo(path);
        Files.write(directory.resolve(BASE), new byte[512]);
        QemuImg.Check check = QemuImg.check(path);
        assertThat(check.exit()).as(check.output()).isZero();
        QemuImg.io(path, "read -P 3 100000 200000", "write -P 4 0 100");
    }

    /** Writes, makes both tables move, and closes. */
    private static void use(MemoryHostFile image) throws IOException {
        try (TestDisk disk = new TestDisk(image, new MemoryHostFile(BASE), new byte[SIZE])) {
            byte[] bytes = new byte[200_000];
            Arrays.fill(bytes, (byte) 3);
            disk.write(100_000, bytes);
            disk.reopen();
            long l1 = HeaderReader.read(image).l1Offset();
            disk.disk().resize(3L << 30); // needs an L1 table of two clusters
            assertThat(HeaderReader.read(image).l1Offset()).isNotEqualTo(l1);
            try (NativeBuffer buffer = NativeBuffer.allocate(512)) {
                disk.disk().write(2L << 30, buffer.address(), 512);
            }
            disk.check(0, SIZE);
        }
        CheckedImage.requireClean(image);
    }

    static List<Layout> broken() {
        return List.of(
                new Layout("header_length is 4104, not 104 to 4096", CLUSTER + 8),
                new Layout("header_length is 96, not 104 to 4096", 96),
                new Layout(
                        "header extension 0x1111 has 3977 bytes, but only 3976 are left for it",
                        112,
                        Part.extension(112, 0x1111, CLUSTER - 119, 0)),
                new Layout(
                        "header extension 0x2222 has 4294967295 bytes, but only 3960 are left for it",
                        112,
                        Part.extension(112, 0x1111, 8),
                        Part.extension(128, 0x2222, -1, 0)),
                new Layout(
                        "header extension 0x1111 has 9 bytes, but only 8 are left for it",
                        112,
                        List.of(Part.extension(112, 0x1111, 9, 0)),
                        128),
                new Layout(
                        "header extension 0x1111 appears twice",
                        112,
                        Part.extension(112, 0x1111, 8),
                        Part.extension(128, 0x2222, 8),
                        Part.extension(144, 0x1111, 8)));
    }

    @ParameterizedTest
    @MethodSource("broken")
    void what_goes_beyond_its_area_or_comes_twice_is_refused(Layout layout) {
        MemoryHostFile image = layout.image();
        assertThatThrownBy(() -> HeaderReader.read(image))
                .isInstanceOf(Qcow2Exception.class)
                .hasMessage("image.qcow2: " + layout.name);
    }

    @ParameterizedTest
    @ValueSource(ints = {CLUSTER - BASE_LENGTH + 1, CLUSTER + 1})
    void a_backing_name_beyond_the_cluster_is_refused(int at) {
        MemoryHostFile image = new Layout("", 112).image();
        image.write(8, ByteBuffer.allocate(12).putLong(at).putInt(BASE_LENGTH).array(), 0, 12);
        assertThatThrownBy(() -> HeaderReader.read(image))
                .isInstanceOf(Qcow2Exception.class)
                .hasMessageContaining(
                        at > CLUSTER ? "backing_file_offset is 4097" : "backing_file_size is 8, not 0 to 7");
    }
}
