package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.TestDisk.KeptOpen;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.Specimen;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What has crashed, hung or misled programs that read qcow2 (format notes, section 24). Probed formats, loops, and references to
 * files of the host are in {@link ImageOpenerTest} and {@link DataFileTest}; names with a NUL in {@code HeaderCodecTest}.
 */
@Tag("hostile")
final class KnownCrashesTest {

    private static final int CLUSTER = 512;
    private static final int TABLE = 0x200;
    private static final int BLOCK = 0x400;
    private static final int L1 = 0x600;

    @TempDir
    private Path directory;

    private final MemoryHostFile image = Specimen.V3.file();

    private static void put(MemoryHostFile file, long at, int bytes, long value) {
        file.write(at, ByteBuffer.allocate(8).putLong(value).array(), 8 - bytes, bytes);
    }

    private static Disk open(MemoryHostFile file) throws IOException {
        return SpecimenDisk.open(new KeptOpen(file), true);
    }

    private void requireCorrupt(String... words) throws IOException {
        byte[] tables = image.bytes(0, 4 * CLUSTER);
        tables[79] |= 2; // the corrupt bit, which is to be set
        try (Disk disk = open(image);
                NativeBuffer buffer = NativeBuffer.allocate(4096)) {
            assertThatThrownBy(() -> disk.write(60 << 10, buffer.address(), 4096))
                    .isInstanceOfSatisfying(
                            Qcow2Exception.class, e -> assertThat(e.kind()).isEqualTo(Kind.CORRUPT))
                    .hasMessageContainingAll(words);
            assertThat(disk.writable()).isFalse();
            assertThat(TestDisk.read(disk, 0, 4096, buffer)).containsOnly(1);
            assertThatThrownBy(disk::close).isInstanceOf(Qcow2Exception.class);
        }
        assertThat(image.bytes(0, 4 * CLUSTER)).isEqualTo(tables);
    }

    @ParameterizedTest
    @CsvSource({"0x20000001", "0x7fffffff", "0x80000001", "0xffffffff"})
    void cve_2014_0143_a_table_size_that_overflows_when_multiplied_is_refused(String entries) {
        put(image, 36, 4, Long.decode(entries));
        assertThatThrownBy(() -> open(image)).hasMessageContaining("l1_size is " + Long.decode(entries));
    }

    @Test
    void cve_2014_0143_a_disk_cannot_grow_beyond_what_tables_can_map() throws IOException {
        try (Disk disk = open(image)) {
            assertThatThrownBy(() -> disk.resize(Long.MAX_VALUE & -512)).hasMessageContaining("more than the");
            disk.resize(Specimen.V3.model().length);
        }
        CheckedImage.requireClean(image);
    }

    @ParameterizedTest
    @CsvSource({
        "8, 8, 0x7fffffffffffff00, backing_file_offset",
        "36, 4, 0x400001, l1_size",
        "40, 8, 0x7ffffffffffffe00, l1_table_offset",
        "48, 8, 0x7ffffffffffffe00, refcount_table_offset",
        "56, 4, 0x800000, refcount_table_clusters",
        "60, 4, 0x10001, nb_snapshots",
        "100, 4, 0x7ffffff0, header_length"
    })
    void cve_2014_0144_a_header_field_is_bounded_before_memory_is_taken(int at, int bytes, String value, String field) {
        put(image, at, bytes, Long.decode(value));
        assertThatThrownBy(() -> open(image)).hasMessageContaining(field + " is ");
    }

    @Test
    void cve_2014_0145_a_snapshot_is_shown_by_the_size_of_its_own_table() throws IOException {
        Path path = directory.resolve("image.qcow2");
        MemoryHostFile snapshots = Specimen.SNAPSHOTS.file();
        long record = ByteBuffer.wrap(snapshots.bytes(64, 8)).getLong();
        put(snapshots, record + 8, 4, 4000);
        put(snapshots, record + 48, 8, (4000L * 32) << 10);
        long l1 = ByteBuffer.wrap(snapshots.bytes(record, 8)).getLong();
        snapshots.truncate(l1 + 4000 * 8);
        snapshots.saveTo(path);
        try (Disk disk = Images.open(path, OpenOptions.readOnly().ofSnapshot("1"));
                NativeBuffer buffer = NativeBuffer.allocate(4096)) {
            assertThat(disk.size()).isEqualTo((4000L * 32) << 10);
            assertThat(TestDisk.read(disk, 40 << 10, 4096, buffer)).containsOnly(2);
        }
        put(snapshots, record + 8, 4, 3999);
        snapshots.saveTo(path);
        assertThatThrownBy(() -> Images.open(path, OpenOptions.readOnly().ofSnapshot("1")))
                .hasMessageContaining("snapshot 1: l1_size is 3999");
    }

    @Test
    void cve_2014_0146_every_way_out_of_opening_is_clean() throws IOException {
        for (long length = 0; length < image.size(); length += 64) {
            MemoryHostFile cut = image.copy();
            cut.truncate(length);
            try {
                open(cut).close();
            } catch (Qcow2Exception e) {
                assertThat(e.kind()).isIn(Kind.NOT_QCOW2, Kind.MALFORMED);
            }
        }
    }

    @Test
    void cve_2014_0147_clusters_that_count_as_free_are_not_given_out_where_tables_lie() throws IOException {
        image.write(BLOCK, new byte[CLUSTER], 0, CLUSTER);
        requireCorrupt("refcounts of ", "lies there");
    }

    @Test
    void a_refcount_block_is_never_made_where_the_header_is() throws IOException {
        image.write(TABLE, new byte[CLUSTER], 0, CLUSTER);
        requireCorrupt("the header lies there");
    }

    @Test
    void an_l1_entry_that_says_copied_of_nothing_is_corrupt() throws IOException {
        put(image, L1 + 8, 8, Long.MIN_VALUE);
        requireCorrupt("says COPIED of nothing: 0x8000000000000000 (guest offset 0xf000)");
    }

    @Test
    void cve_2015_5162_one_full_refcount_block_under_a_million_entries_is_not_searched_for_ever() throws IOException {
        ImageKind kind = new ImageKind(3, 16, 0, false);
        MemoryHostFile file = kind.create(1 << 20);
        byte[] ones = new byte[kind.clusterSize()];
        Arrays.fill(ones, (byte) -1);
        file.write(2L << 16, ones, 0, ones.length);
        byte[] entries = new byte[8 << 20];
        for (int at = 0; at < entries.length; at += 8) {
            ByteBuffer.wrap(entries).putLong(at, 2L << 16);
        }
        file.write(8L << 20, entries, 0, entries.length);
        put(file, 48, 8, 8L << 20);
        put(file, 56, 4, entries.length >> 16);
        assertTimeoutPreemptively(Duration.ofSeconds(5), () -> {
            try (Disk disk = open(file);
                    NativeBuffer buffer = NativeBuffer.allocate(512)) {
                assertThatThrownBy(() -> disk.write(0, buffer.address(), 512))
                        .hasMessageContaining("refcount block 0x20000 occurs twice");
                assertThatThrownBy(disk::close).isInstanceOf(Qcow2Exception.class);
            }
        });
    }

    @Test
    void cve_2015_5162_snapshot_names_of_64_kib_each_do_not_fill_the_memory() throws IOException {
        Path path = directory.resolve("image.qcow2");
        image.saveTo(path);
        int entry = 40 + 2 * 0xfff8;
        int count = (64 << 20) / entry;
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.seek(60);
            file.writeInt(count);
            file.writeLong(1 << 20);
            file.setLength((1 << 20) + (long) count * entry);
            for (int i = 0; i < count; i++) {
                file.seek((1 << 20) + (long) i * entry + 12);
                file.writeInt(0xfff8_fff8);
            }
        }
        assertTimeoutPreemptively(Duration.ofSeconds(5), () -> {
            ImageInfo info = ImageInfo.read(path);
            assertThat(info.snapshots()).hasSize(count);
            assertThat(info.text().length() + info.json().length()).isLessThan(8 << 20);
        });
    }

    @Test
    void cve_2024_4467_to_describe_an_image_opens_nothing_that_it_names() throws IOException {
        Path path = directory.resolve("image.qcow2");
        Specimen.BACKED.file().saveTo(path);
        assertThat(ImageInfo.read(path).text()).contains("base.raw");
    }
}
