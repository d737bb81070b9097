package io.qfuse.qcow2.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.CreateOptions;
import io.qfuse.qcow2.OpenOptions;
import io.qfuse.qcow2.Passphrase;
import io.qfuse.qcow2.io.NativeHostFile;
import io.qfuse.qcow2.testing.QemuImg;
import io.qfuse.qcow2.transfer.Target.Existing;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What we convert, read and checked by QEMU; what QEMU made, converted by us. */
@Tag("system")
final class ConversionQemuTest {

    private static final int MIB = 1 << 20;

    /** No multiple of any cluster size. */
    private static final int SIZE = 9 * MIB + 512;

    private static final CopyOptions HOW = new CopyOptions(4, CopyOptions.DEFAULT_SPARSE);

    @TempDir
    Path directory;

    private Path raw = Path.of("");

    @BeforeEach
    void make_a_disk_of_many_kinds_of_bytes() throws IOException {
        raw = directory.resolve("disk.raw");
        write(raw, 20);
    }

    /** Holes, zeroes, letters, and what cannot be compressed, in runs of all lengths; on a multiple of 512. */
    private static void write(Path file, long seed) throws IOException {
        Random random = new Random(seed);
        try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
            out.setLength(SIZE);
            for (long at = 0; at < SIZE; ) {
                int most = 512 << random.nextInt(12);
                int length = (int) Math.min(SIZE - at, (1 + random.nextInt(most / 512)) * 512L);
                byte[] bytes = new byte[length];
                switch (random.nextInt(4)) {
                    case 0 -> {
                        at += length;
                        continue;
                    }
                    case 1 -> random.nextBytes(bytes);
                    case 2 -> Arrays.fill(bytes, (byte) 0);
                    default -> letters(bytes, random);
                }
                out.seek(at);
                out.write(bytes);
                at += length;
            }
        }
    }

    /** Words that come again at every distance, also beyond 4 KiB and 32 KiB. */
    private static void letters(byte[] bytes, Random random) {
        byte[][] words = new byte[200][];
        for (int i = 0; i < words.length; i++) {
            words[i] = new byte[3 + random.nextInt(40)];
            random.nextBytes(words[i]);
        }
        for (int at = 0; at < bytes.length; ) {
            byte[] word = words[random.nextInt(words.length)];
            int length = Math.min(word.length, bytes.length - at);
            System.arraycopy(word, 0, bytes, at, length);
            at += length;
        }
    }

    private void convert(Path from, Target to) throws IOException {
        Conversion.run(Source.of(from), to, HOW, Progress.NONE);
    }

    private static Target image(Path path, String options) {
        List<String> words = options.isEmpty() ? List.of() : List.of(options);
        return new Target(path, ImageFormat.QCOW2, Existing.REFUSE, CreateOptions.parse(words), false);
    }

    private static void requireSound(Path image) {
        QemuImg.Check check = QemuImg.check(image);
        assertThat(check.exit()).as(check.output()).isZero();
    }

    private static void requireSame(Path one, String format, Path other, String otherFormat) {
        QemuImg.run("compare", "-f", format, "-F", otherFormat, one, other);
    }

    private void nothingIsLeftBut(String... names) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            assertThat(files.map(file -> file.getFileName().toString())).containsExactlyInAnyOrder(names);
        }
    }

    static Stream<String> kinds() {
        return Stream.of(
                "",
                "cluster_size=512",
                "cluster_size=512,refcount_bits=64",
                "cluster_size=4k,refcount_bits=1",
                "cluster_size=64k,refcount_bits=2",
                "refcount_bits=4,lazy_refcounts=on",
                "cluster_size=2M",
                "cluster_size=1M,refcount_bits=8",
                "compat=0.10",
                "compat=0.10,cluster_size=512",
                "extended_l2=on",
                "extended_l2=on,cluster_size=2M,refcount_bits=32",
                "extended_l2=on,cluster_size=16k");
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void a_raw_disk_becomes_an_image_that_qemu_finds_whole_and_comes_back(String options) throws IOException {
        Path image = directory.resolve("image");
        convert(raw, image(image, options));
        requireSound(image);
        requireSame(raw, "raw", image, "qcow2");
        Path back = directory.resolve("back");
        convert(image, Target.of(back, ImageFormat.RAW));
        assertThat(Files.mismatch(raw, back)).isEqualTo(-1);
        nothingIsLeftBut("disk.raw", "image", "back");
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void compressed_images_of_both_kinds_are_read_by_qemu_and_by_us(String options) throws IOException {
        String more = options.isEmpty() ? "" : options + ",";
        for (String type : options.contains("0.10") ? List.of("zlib") : List.of("zlib", "zstd")) {
            Path image = directory.resolve(type);
            convert(raw, image(image, more + "compression_type=" + type).withCompression());
            requireSound(image);
            requireSame(raw, "raw", image, "qcow2");
            Path back = directory.resolve("back." + type);
            convert(image, Target.of(back, ImageFormat.RAW));
            assertThat(Files.mismatch(raw, back)).isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"preallocation=metadata", "data_file=data", "data_file=data,data_file_raw=on"})
    void what_is_written_through_an_open_image_is_whole_too(String words) throws IOException {
        String options = words.replace("=data", "=" + directory.resolve("data")); // QEMU looks for it where it runs
        Path image = directory.resolve("image");
        convert(raw, image(image, options));
        requireSound(image);
        requireSame(raw, "raw", image, "qcow2");
        assertThatThrownBy(() -> convert(
                        raw,
                        image(directory.resolve("no"), options.replace("/data", "/other"))
                                .withCompression()))
                .hasMessageContaining("nothing can be compressed");
        assertThat(directory.resolve("no")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(strings = {"cluster_size=64k", "compat=0.10", "extended_l2=on,cluster_size=128k", "cluster_size=512"})
    void chains_are_copied_whole_or_over_the_same_backing_file(String options) throws IOException {
        Path top = directory.resolve("top");
        QemuImg.run("create", "-q", "-f", "qcow2", "-o", options, "-b", raw, "-F", "raw", top, 12 * MIB);
        QemuImg.io(
                top,
                "write -P 7 1M 300k",
                "write -z 2M 700k",
                "write -P 8 5000k 10k",
                "write -P 9 9M 1M",
                "discard 3M 1M");
        Path flat = directory.resolve("flat.raw");
        convert(top, Target.of(flat, ImageFormat.RAW));
        requireSame(top, "qcow2", flat, "raw");
        for (String made : List.of("cluster_size=64k", "compat=0.10", "extended_l2=on")) {
            for (boolean compressed : new boolean[] {false, true}) {
                Path copy = directory.resolve("copy-" + made + compressed);
                CreateOptions create = CreateOptions.parse(List.of(made)).withBacking("disk.raw", "raw");
                convert(top, new Target(copy, ImageFormat.QCOW2, Existing.REFUSE, create, compressed));
                requireSound(copy);
                requireSame(top, "qcow2", copy, "qcow2");
                assertThat(Files.size(copy)).as("only what the top has itself").isLessThan(5 * MIB);
            }
        }
    }

    @Test
    void a_source_without_backing_hides_the_backing_file_of_its_target() throws IOException {
        Path other = directory.resolve("other.raw");
        write(other, 21);
        for (String made : List.of("compat=1.1", "compat=0.10", "extended_l2=on")) {
            for (boolean compressed : new boolean[] {false, true}) {
                Path copy = directory.resolve("copy-" + made + compressed);
                CreateOptions create = CreateOptions.parse(List.of(made)).withBacking("other.raw", "raw");
                convert(raw, new Target(copy, ImageFormat.QCOW2, Existing.REFUSE, create, compressed));
                requireSound(copy);
                requireSame(raw, "raw", copy, "qcow2");
            }
        }
    }

    @Test
    void an_internal_snapshot_is_copied_as_it_was() throws IOException {
        Path image = directory.resolve("image");
        convert(raw, image(image, ""));
        QemuImg.run("snapshot", "-c", "before", image);
        QemuImg.io(image, "write -P 1 0 3M");
        Path was = directory.resolve("was");
        OpenOptions open = OpenOptions.readOnly().withSnapshot("before");
        Conversion.run(new Source(image, ImageFormat.QCOW2, open), Target.of(was, ImageFormat.RAW), HOW, Progress.NONE);
        assertThat(Files.mismatch(raw, was)).isEqualTo(-1);
    }

    @Test
    void an_encrypted_disk_is_copied_decrypted() throws IOException {
        Path image = directory.resolve("image");
        QemuImg.run(
                "convert",
                "-O",
                "qcow2",
                "--object",
                "secret,id=s,data=open",
                "-o",
                "encrypt.format=aes,encrypt.key-secret=s",
                "-f",
                "raw",
                raw,
                image);
        Path plain = directory.resolve("plain");
        try (Passphrase passphrase = Passphrase.of("open".getBytes(StandardCharsets.UTF_8))) {
            OpenOptions open = OpenOptions.readOnly().withPassphrase(passphrase);
            Conversion.run(
                    new Source(image, ImageFormat.QCOW2, open), Target.of(plain, ImageFormat.RAW), HOW, Progress.NONE);
        }
        assertThat(Files.mismatch(raw, plain)).isEqualTo(-1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void an_existing_target_is_written_in_place_with_its_zeroes(String format) throws IOException {
        Path there = directory.resolve("there");
        QemuImg.run("create", "-q", "-f", format, there, SIZE + MIB);
        io(format, there, "write -P 5 0 " + (SIZE + MIB));
        ImageFormat kind = ImageFormat.valueOf(format.toUpperCase(Locale.ROOT));
        convert(raw, new Target(there, kind, Existing.WRITE, CreateOptions.ofSize(0), false));
        Path flat = directory.resolve("flat");
        QemuImg.run("convert", "-f", format, "-O", "raw", there, flat);
        byte[] bytes = Files.readAllBytes(flat);
        assertThat(Arrays.mismatch(bytes, 0, SIZE, Files.readAllBytes(raw), 0, SIZE))
                .isEqualTo(-1);
        assertThat(bytes[SIZE]).as("behind the disk nothing is touched").isEqualTo((byte) 5);
        if (format.equals("qcow2")) {
            requireSound(there);
        }
    }

    private static void io(String format, Path file, String command) throws IOException {
        if (format.equals("qcow2")) {
            QemuImg.io(file, command);
        } else {
            byte[] fives = new byte[SIZE + MIB];
            Arrays.fill(fives, (byte) 5);
            Files.write(file, fives);
        }
    }

    @Test
    void zeroes_within_data_take_no_space_unless_all_is_to_be_written() throws IOException {
        Path zeroes = directory.resolve("zeroes");
        Files.write(zeroes, new byte[4 * MIB]);
        Path sparse = directory.resolve("sparse");
        convert(zeroes, Target.of(sparse, ImageFormat.RAW));
        assertThat(blocks(sparse)).isZero();
        Path full = directory.resolve("full");
        Conversion.run(Source.of(zeroes), Target.of(full, ImageFormat.RAW), new CopyOptions(2, 0), Progress.NONE);
        assertThat(blocks(full)).isGreaterThanOrEqualTo(4 * MIB);
        Path image = directory.resolve("image");
        Conversion.run(Source.of(sparse), image(image, ""), new CopyOptions(2, 0), Progress.NONE);
        assertThat(Files.size(image)).isGreaterThan(4 * MIB);
        requireSound(image);
        requireSame(zeroes, "raw", image, "qcow2");
    }

    private static long blocks(Path file) throws IOException {
        try (NativeHostFile opened = NativeHostFile.open(file, false)) {
            return opened.allocatedBytes();
        }
    }
}
