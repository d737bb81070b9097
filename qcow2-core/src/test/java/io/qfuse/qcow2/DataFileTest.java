package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.TestDisk.KeptOpen;
import io.qfuse.qcow2.check.ImageChecker;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderCodec;
import io.qfuse.qcow2.format.HeaderExtension;
import io.qfuse.qcow2.format.HeaderField;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.ImageLock;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.io.NativeHostFile;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.ImageKind.Data;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** External data files: which file is opened, and what happens in it. */
final class DataFileTest {

    private static final int SIZE = 1 << 20;
    private static final int CLUSTER = 1 << 16;
    private static final ImageKind PLAIN = new ImageKind(3, 16, 4, false, false, Data.EXTERNAL);
    private static final ImageKind RAW = new ImageKind(3, 16, 4, false, false, Data.EXTERNAL_RAW);

    @TempDir
    Path directory;

    private final NativeBuffer buffer = NativeBuffer.allocate(4 * CLUSTER);
    private MemoryHostFile file = new MemoryHostFile("none");
    private MemoryHostFile data = new MemoryHostFile("none");
    private boolean external;
    private Path image = Path.of("");
    private Path outside = Path.of("");

    @BeforeEach
    void make_an_image_and_files_beside_and_outside() throws IOException {
        image = Files.createDirectory(directory.resolve("images")).resolve("disk.qcow2");
        outside = directory.resolve("secret");
        PLAIN.create(SIZE).saveTo(image);
        Files.write(image.resolveSibling("data.raw"), new byte[SIZE]);
        Files.write(outside, new byte[SIZE]);
    }

    @AfterEach
    void free() {
        buffer.close();
    }

    private void nameDataFile(String name) throws IOException {
        changeExtensions(
                List.of(new HeaderExtension(HeaderExtension.DATA_FILE, name.getBytes(StandardCharsets.UTF_8))));
    }

    private void changeExtensions(List<HeaderExtension> extensions) throws IOException {
        try (NativeHostFile file = NativeHostFile.open(image, true)) {
            Header header = HeaderReader.read(file).withExtensions(extensions);
            byte[] cluster = HeaderCodec.encode(header, image);
            file.write(0, cluster, 0, cluster.length);
        }
    }

    private AbstractThrowableAssert<?, ?> assertThatOpening(OpenOptions options) {
        return assertThatThrownBy(() -> assertTimeoutPreemptively(
                        Duration.ofSeconds(20),
                        () -> Images.open(image, options).close()))
                .isInstanceOf(IOException.class)
                .hasMessageNotContaining("\n");
    }

    private void opens(OpenOptions options) throws IOException {
        Images.open(image, options).close();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "data.raw",
                "./data.raw",
                "../images/data.raw",
                "json:{\"driver\":\"raw\",\"file.filename\":\"data.raw\"}"
            })
    void a_name_inside_the_images_directory_is_followed(String name) throws IOException {
        nameDataFile(name);
        opens(OpenOptions.readWrite());
    }

    @Test
    void an_absolute_name_inside_the_images_directory_is_followed() throws IOException {
        nameDataFile(image.resolveSibling("data.raw").toString());
        opens(OpenOptions.readWrite());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"absolute", "../secret", "link", "directory/secret", "json:{\"file.filename\":\"../secret\"}"})
    void a_name_that_leads_outside_is_followed_only_if_the_user_allows_it(String name) throws IOException {
        Files.createSymbolicLink(image.resolveSibling("link"), outside);
        Files.createSymbolicLink(image.resolveSibling("directory"), directory);
        nameDataFile(name.equals("absolute") ? outside.toString() : name);
        for (OpenOptions options : List.of(OpenOptions.readWrite(), OpenOptions.readOnly())) {
            assertThatOpening(options)
                    .hasMessageContainingAll(image.toString(), outside.toString(), "--allow-external");
            opens(options.withAllowExternal(true));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"/etc/shadow", "../../../../../../etc/no-such-file", "/nowhere/x"})
    void whether_a_file_outside_is_there_is_not_told(String name) throws IOException {
        nameDataFile(name);
        assertThatOpening(OpenOptions.readWrite()).hasMessageContaining("--allow-external");
    }

    @Test
    void a_name_of_the_current_directory_comes_after_the_images_own_and_counts_as_outside() throws IOException {
        assertThat(Path.of("pom.xml")).exists();
        nameDataFile("pom.xml");
        assertThatOpening(OpenOptions.readOnly()).hasMessageContainingAll("pom.xml", "--allow-external");
        opens(OpenOptions.readOnly().withAllowExternal(true));
        Files.write(image.resolveSibling("pom.xml"), new byte[512]);
        opens(OpenOptions.readOnly());
    }

    @Test
    void the_users_own_choice_goes_before_the_images() throws IOException {
        nameDataFile("/etc/shadow");
        opens(OpenOptions.readWrite().withDataFile(outside.toString()));
        changeExtensions(List.of());
        assertThatOpening(OpenOptions.readWrite()).hasMessageContaining("--data-file");
        opens(OpenOptions.readWrite().withDataFile(outside.toString()));
    }

    @Test
    void a_data_file_for_an_image_that_has_none_is_a_mistake() throws IOException {
        new ImageKind(3, 16, 4, false).create(SIZE).saveTo(image);
        assertThatOpening(OpenOptions.readWrite().withDataFile(outside.toString()))
                .hasMessageContainingAll(image.toString(), "--data-file=" + outside);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "missing",
                "fifo",
                "null",
                "directory",
                "disk.qcow2",
                "self",
                "looping",
                "a\0b",
                "nbd://x",
                "json:{}"
            })
    void what_cannot_be_a_data_file_is_refused_at_once(String name) throws Exception {
        Files.createDirectory(image.resolveSibling("directory"));
        Files.createSymbolicLink(image.resolveSibling("self"), image);
        Files.createSymbolicLink(image.resolveSibling("looping"), Path.of("looping"));
        Files.createSymbolicLink(image.resolveSibling("null"), Path.of("/dev/null"));
        Process fifo = new ProcessBuilder("mkfifo", image.resolveSibling("fifo").toString()).start();
        assertThat(fifo.waitFor()).isZero();
        nameDataFile(name);
        for (OpenOptions options : List.of(OpenOptions.readWrite(), OpenOptions.readOnly())) {
            assertThatOpening(options.withAllowExternal(true))
                    .hasMessageContaining(
                            name.equals("null")
                                    ? "/dev/null"
                                    : directory.resolve("images").toString());
        }
    }

    @Test
    void a_name_that_is_too_long_is_refused() throws IOException {
        nameDataFile("x".repeat(300));
        assertThatOpening(OpenOptions.readWrite()).hasMessageContaining("File name too long");
        nameDataFile("x/".repeat(3000));
        assertThatOpening(OpenOptions.readWrite()).hasMessageContaining("6000 characters");
    }

    @Test
    void an_image_in_the_place_of_the_data_is_refused() throws IOException {
        nameDataFile("json:{\"driver\":\"qcow2\",\"file.filename\":\"data.raw\"}");
        assertThatOpening(OpenOptions.readWrite()).hasMessageContaining("is not raw");
    }

    @Test
    void a_data_file_that_somebody_writes_is_not_opened() throws IOException {
        try (NativeHostFile data = NativeHostFile.open(image.resolveSibling("data.raw"), true)) {
            ImageLock.acquire(data, ImageLock.Mode.WRITE);
            assertThatOpening(OpenOptions.readOnly())
                    .hasMessageContaining("data.raw")
                    .isInstanceOfSatisfying(
                            Qcow2Exception.class, e -> assertThat(e.kind()).isEqualTo(Kind.LOCKED));
            opens(OpenOptions.readOnly().withForceShare(true));
        }
        opens(OpenOptions.readWrite());
    }

    @Test
    void snapshots_that_a_write_would_change_make_an_image_read_only() throws IOException {
        try (NativeHostFile file = NativeHostFile.open(image, true)) {
            long table = file.size() + CLUSTER - 1 & -CLUSTER;
            file.write(table, new byte[CLUSTER], 0, CLUSTER);
            byte[] field = ByteBuffer.allocate(12).putInt(1).putLong(table).array();
            file.write(60, field, 0, field.length);
        }
        assertThatOpening(OpenOptions.readWrite()).hasMessageContainingAll(image.toString(), "internal snapshots");
        opens(OpenOptions.readOnly());
        try (NativeHostFile file = NativeHostFile.open(image, false)) {
            assertThat(ImageChecker.check(file).toString()).contains("internal snapshots in an image with an external");
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {L2Entry.COPIED | 2 * CLUSTER, 2 * CLUSTER, L2Entry.COPIED, L2Entry.COMPRESSED | 0x200})
    void an_entry_that_names_another_place_is_damage(long entry) throws IOException {
        use(PLAIN, disk -> disk.write(0, buffer.address(), 2 * CLUSTER));
        long table =
                L1Entry.l2Offset(ByteBuffer.wrap(file.bytes(3L * CLUSTER, 8)).getLong());
        assertThat(file.bytes(table + 15, 1)).containsExactly(0);
        file.write(table + 8, ByteBuffer.allocate(8).putLong(entry).array(), 0, 8);
        assertThat(ImageChecker.check(file).corruptions()).isPositive();
        assertThatThrownBy(() -> reuse(disk -> {
                    disk.read(0, buffer.address(), CLUSTER);
                    assertThatThrownBy(() -> disk.read(CLUSTER, buffer.address(), 512))
                            .isInstanceOfSatisfying(
                                    Qcow2Exception.class,
                                    e -> assertThat(e.kind()).isEqualTo(Kind.CORRUPT))
                            .hasMessageContainingAll("guest offset 0x10000", "external data file");
                    assertThat(disk.writable()).isFalse();
                }))
                .as("the flush at the end")
                .hasMessageContaining("guest offset 0x10000");
    }

    @Test
    void a_discard_gives_the_space_back_and_a_zeroing_keeps_it() throws IOException {
        use(PLAIN, disk -> {
            disk.write(0, buffer.address(), 4 * CLUSTER);
            long before = disk.allocatedBytes();
            disk.writeZeroes(0, CLUSTER, true);
            assertThat(disk.allocatedBytes()).isEqualTo(before - CLUSTER);
            disk.writeZeroes(CLUSTER, CLUSTER, false);
            disk.writeZeroes(2 * CLUSTER, CLUSTER, false);
        });
        assertThat(data.seekData(0)).isEqualTo(CLUSTER);
        assertThat(data.bytes(CLUSTER, 1)).containsExactly(1);
        long table =
                L1Entry.l2Offset(ByteBuffer.wrap(file.bytes(3L * CLUSTER, 8)).getLong());
        ByteBuffer entries = ByteBuffer.wrap(file.bytes(table, 32));
        assertThat(entries.getLong(0)).isEqualTo(L2Entry.ZERO);
        assertThat(entries.getLong(8)).isEqualTo(L2Entry.COPIED | CLUSTER | L2Entry.ZERO);
        assertThat(entries.getLong(24)).isEqualTo(L2Entry.COPIED | 3 * CLUSTER);
    }

    @Test
    void the_cluster_at_offset_0_is_kept_by_a_zeroing_like_any_other() throws IOException {
        use(PLAIN, disk -> {
            disk.write(0, buffer.address(), CLUSTER);
            disk.writeZeroes(0, CLUSTER, false);
        });
        long table =
                L1Entry.l2Offset(ByteBuffer.wrap(file.bytes(3L * CLUSTER, 8)).getLong());
        assertThat(ByteBuffer.wrap(file.bytes(table, 8)).getLong()).isEqualTo(L2Entry.COPIED | L2Entry.ZERO);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void zeroes_are_in_a_raw_data_file_too_and_its_mark_stays(boolean unmap) throws IOException {
        use(RAW, disk -> {
            disk.write(0, buffer.address(), 4 * CLUSTER);
            disk.writeZeroes(512, 3 * CLUSTER, unmap);
        });
        assertThat(data.bytes(512, 3 * CLUSTER)).containsOnly(0);
        assertThat(data.bytes(0, 512)).containsOnly(1);
        assertThat(data.bytes(512 + 3 * CLUSTER, CLUSTER - 512)).containsOnly(1);
        assertThat(HeaderReader.read(file).hasRawExternalData()).isTrue();
    }

    @Test
    void the_mark_of_a_raw_data_file_is_worth_nothing_without_one() throws IOException {
        use(new ImageKind(3, 16, 4, false), disk -> {});
        file.write(HeaderField.AUTOCLEAR, ByteBuffer.allocate(8).putLong(2).array(), 0, 8);
        reuse(disk -> disk.write(0, buffer.address(), 1));
        assertThat(HeaderReader.read(file).autoclear()).isZero();
    }

    @Test
    void a_raw_data_file_is_as_long_as_the_disk_and_grows_by_zeroes() throws IOException {
        use(RAW, disk -> {
            disk.resize(SIZE + 512);
            assertThat(data.size()).isEqualTo(SIZE + CLUSTER);
            disk.resize(SIZE - 512);
            assertThat(data.size()).isEqualTo(SIZE - 512);
        });
        data.write(SIZE - 512, new byte[] {1, 2, 3}, 0, 3);
        reuse(disk -> disk.resize(SIZE));
        assertThat(data.bytes(SIZE - 512, 512)).containsOnly(0);
    }

    private interface Use {
        void of(Disk disk) throws IOException;
    }

    /** Uses a fresh image, with memory full of ones. */
    private void use(ImageKind kind, Use use) throws IOException {
        file = kind.create(SIZE);
        MemoryHostFile fresh = kind.createData(SIZE);
        external = fresh != null;
        data = fresh == null ? data : fresh;
        byte[] ones = new byte[4 * CLUSTER];
        Arrays.fill(ones, (byte) 1);
        NativeBuffer.put(buffer.address(), ones, 0, ones.length);
        reuse(use);
    }

    private void reuse(Use use) throws IOException {
        HostFile guest = external ? new KeptOpen(data) : null;
        try (Disk disk = TestDisk.open(new KeptOpen(file), guest, file, TestDisk.SMALL_CACHE)) {
            use.of(disk);
        }
    }
}
