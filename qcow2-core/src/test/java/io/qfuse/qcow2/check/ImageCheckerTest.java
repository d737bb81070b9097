package io.qfuse.qcow2.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.CreateOptions;
import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.create.NewImage;
import io.qfuse.qcow2.format.HeaderField;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * One damage each on an image of 64 KiB with 512-byte clusters, all of it preallocated: header, refcount table at 0x200,
 * one refcount block (16 bits) at 0x400, L1 table at 0x600, two L2 tables at 0x800, data from 0xc00 on.
 */
final class ImageCheckerTest {

    private static final int TABLE = 0x200;
    private static final int BLOCK = 0x400;
    private static final int L1 = 0x600;
    private static final int L2 = 0x800;
    private static final int DATA = 0xc00;

    private final MemoryHostFile image = new MemoryHostFile("a.qcow2");

    @BeforeEach
    void create() throws IOException {
        write(image, "cluster_size=512,preallocation=metadata,size=64k");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "size=0",
                "size=1M,cluster_size=512,refcount_bits=1,preallocation=metadata",
                "size=1M,cluster_size=4k,refcount_bits=64",
                "size=1G,cluster_size=2M,preallocation=metadata",
                "size=1T"
            })
    void a_new_image_is_clean(String options) throws IOException {
        MemoryHostFile file = new MemoryHostFile("b.qcow2");
        write(file, options);
        assertThat(ImageChecker.check(file).isClean()).isTrue();
    }

    @Test
    void a_cluster_that_nothing_refers_to_is_leaked() throws IOException {
        putLong(L2 + 8, 0);
        CheckReport report = ImageChecker.check(image);
        assertThat(report.isSafe()).isTrue();
        assertThat(report.isClean()).isFalse();
        assertThat(report.leaks()).isEqualTo(1);
        assertThat(sentences(report)).containsExactly("leaked cluster at 0xe00: refcount 1, references 0");
    }

    @Test
    void a_cluster_with_two_owners_is_corrupt() throws IOException {
        putLong(L2 + 8, DATA | Long.MIN_VALUE);
        assertCorrupt(
                "cluster at 0xc00: refcount 1, but references 2", "leaked cluster at 0xe00: refcount 1, references 0");
    }

    @Test
    void a_cluster_in_use_that_is_not_counted_is_corrupt() throws IOException {
        image.write(BLOCK + 2 * (DATA >> 9), new byte[2], 0, 2);
        assertCorrupt(
                "cluster at 0xc00: refcount 0, but references 1",
                "entry 0 of the L2 table at 0x800 (guest offset 0x0) is 0x8000000000000c00: COPIED is set, but the refcount is 0");
    }

    @Test
    void a_copied_flag_must_be_set_where_the_refcount_is_1() throws IOException {
        putLong(L2, DATA);
        putLong(L1, L2);
        assertCorrupt(
                "entry 0 of the active L1 table is 0x800: COPIED is clear, but the refcount is 1",
                "entry 0 of the L2 table at 0x800 (guest offset 0x0) is 0xc00: COPIED is clear, but the refcount is 1");
    }

    @Test
    void reserved_bits_are_told() throws IOException {
        putLong(L1, 0x8000_0000_0000_0801L);
        putLong(L2, 0x8100_0000_0000_0c00L);
        assertCorrupt(
                "entry 0 of the active L1 table is 0x8000000000000801: reserved bits are set",
                "entry 0 of the L2 table at 0x800 (guest offset 0x0) is 0x8100000000000c00: reserved bits are set");
    }

    @Test
    void an_l1_entry_that_names_no_table_is_0() throws IOException {
        putLong(L1, Long.MIN_VALUE);
        assertThat(sentences(ImageChecker.check(image)))
                .contains("entry 0 of the active L1 table is 0x8000000000000000: no table, but not 0");
    }

    @Test
    void what_lies_behind_the_end_of_the_file_is_told() throws IOException {
        putLong(L2, 0x8000_0000_0100_0000L);
        putLong(L2 + 8, 0x7fff_ffff_ffff_ffffL);
        assertThat(sentences(ImageChecker.check(image)))
                .contains(
                        "the data cluster of entry 0 of the L2 table at 0x800 (guest offset 0x0) of 512 bytes at 0x1000000 lies behind the end of the file")
                .contains(
                        "the compressed stream of entry 1 of the L2 table at 0x800 (guest offset 0x200) of 513 bytes at 0x1fffffffffffffff lies behind the end of the file");
    }

    @Test
    void a_compressed_stream_counts_for_each_cluster_it_touches_and_is_never_copied() throws IOException {
        putLong(L2, 0xe000_0000_0000_0c80L); // one sector more than the one it starts in
        assertCorrupt(
                "entry 0 of the L2 table at 0x800 (guest offset 0x0) is 0xe000000000000c80: COPIED is set for a compressed cluster",
                "cluster at 0xe00: refcount 1, but references 2");
    }

    @Test
    void a_refcount_block_that_is_something_else_as_well_is_told() throws IOException {
        putLong(TABLE + 8, L2);
        assertThat(sentences(ImageChecker.check(image)))
                .contains("refcount block 1 lies at 0x800, where something else is as well");
    }

    @Test
    void a_refcount_block_in_a_place_where_none_can_be_is_told() throws IOException {
        putLong(TABLE + 8, L2 + 1);
        putLong(TABLE + 16, 1L << 40);
        CheckReport report = ImageChecker.check(image);
        assertThat(sentences(report))
                .contains("entry 1 of the refcount table is 0x801: reserved bits are set")
                .contains("refcount block 2 of 512 bytes at 0x10000000000 lies behind the end of the file");
    }

    @Test
    void a_snapshot_table_that_is_cut_off_is_told() throws IOException {
        image.write(60, ByteBuffer.allocate(4).putInt(1).array(), 0, 4);
        putLong(64, image.size() - 512);
        image.write(image.size() - 512 + 12, new byte[] {127, 127}, 0, 2);
        assertThat(sentences(ImageChecker.check(image)))
                .anyMatch(sentence ->
                        sentence.startsWith("a.qcow2: truncated: the snapshot table is cut off in entry 0"));
    }

    @Test
    void claims_cost_neither_memory_nor_time() throws IOException {
        image.truncate(1L << 55);
        image.write(HeaderField.L1, ByteBuffer.allocate(4).putInt(4 << 20).array(), 0, 4);
        putLong(HeaderField.L1 + 4, 1L << 54);
        CheckReport report = ImageChecker.check(image);
        assertThat(report.corruptions()).isEqualTo((32 << 20) / 512); // the clusters of the L1 table are not counted
    }

    @Test
    void the_check_writes_nothing() throws IOException {
        byte[] before = image.bytes(0, (int) image.size());
        ImageChecker.check(image);
        assertThat(image.bytes(0, (int) image.size())).isEqualTo(before);
    }

    @Test
    void without_a_sound_header_there_is_nothing_to_check() throws IOException {
        putLong(0, 0);
        assertThatThrownBy(() -> ImageChecker.check(image)).isInstanceOf(Qcow2Exception.class);
    }

    private void assertCorrupt(String... sentences) throws IOException {
        CheckReport report = ImageChecker.check(image);
        assertThat(report.isSafe()).isFalse();
        assertThat(sentences(report)).containsExactly(sentences);
        assertThat(report.toString()).contains(sentences[0]);
    }

    private static List<String> sentences(CheckReport report) {
        return report.findings().stream().map(Finding::sentence).toList();
    }

    private void putLong(long offset, long value) throws IOException {
        image.write(offset, ByteBuffer.allocate(8).putLong(value).array(), 0, 8);
    }

    private static void write(MemoryHostFile file, String options) throws IOException {
        NewImage.plan(CreateOptions.parse(List.of(options)), Path.of("a.qcow2")).writeTo(file);
    }
}
