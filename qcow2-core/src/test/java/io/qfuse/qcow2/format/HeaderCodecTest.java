package io.qfuse.qcow2.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class HeaderCodecTest {

    private static final Path PATH = Path.of("disk.qcow2");
    private static final int CLUSTER = 1 << 16;
    private static final long FILE = 4L * CLUSTER;

    @Test
    void every_field_comes_back_as_it_was_encoded() throws Qcow2Exception {
        Header header = header(3, "base.img", List.of(format("raw"), FeatureNames.table()));
        Header decoded = HeaderCodec.decode(HeaderCodec.encode(header, PATH), PATH, FILE);
        assertThat(decoded)
                .usingRecursiveComparison()
                .ignoringFields("extensions")
                .isEqualTo(header);
        assertThat(decoded.backingFormat()).isEqualTo("raw");
        assertThat(decoded.extension(HeaderExtension.FEATURE_NAMES))
                .hasValue(FeatureNames.table().data());
    }

    @Test
    void version_2_has_the_fields_of_version_3_with_their_implied_values() throws Qcow2Exception {
        byte[] bytes = HeaderCodec.encode(header(2, null, List.of()), PATH);
        ByteBuffer.wrap(bytes).putLong(72, 0); // where version 3 has its features, version 2 has extensions
        Header decoded = HeaderCodec.decode(bytes, PATH, FILE);
        assertThat(decoded.refcountOrder()).isEqualTo(4);
        assertThat(decoded.headerLength()).isEqualTo(72);
        assertThat(decoded.incompatible()).isZero();
    }

    @Test
    void unknown_extensions_are_kept_byte_for_byte() throws Qcow2Exception {
        HeaderExtension odd = new HeaderExtension(0x12345678, new byte[] {1, 2, 3, 4, 5});
        Header decoded = HeaderCodec.decode(HeaderCodec.encode(header(3, null, List.of(odd)), PATH), PATH, FILE);
        assertThat(decoded.extension(0x12345678)).hasValue(odd.data());
    }

    @Test
    void a_header_length_that_is_no_multiple_of_8_is_accepted() {
        assertThatCode(() -> decode(putInt(bytes(), 100, 105))).doesNotThrowAnyException();
    }

    @Test
    void a_file_that_ends_inside_its_first_cluster_is_decoded_by_what_is_there() throws Qcow2Exception {
        byte[] bytes = HeaderCodec.encode(header(3, "base.img", List.of(format("raw"))), PATH);
        int used = 112 + 16 + 8 + "base.img".length();
        byte[] cut = Arrays.copyOf(putLong(putLong(bytes, 40, 0), 48, 0), used);
        // Its tables cannot lie inside so short a file, so the rule that speaks is theirs, not one about the name.
        assertThatThrownBy(() -> HeaderCodec.decode(cut, PATH, used))
                .hasMessage("disk.qcow2: refcount_table_offset is 0, where the header is");
        byte[] shorter = Arrays.copyOf(cut, used - 1);
        assertThatThrownBy(() -> HeaderCodec.decode(shorter, PATH, used - 1))
                .hasMessage("disk.qcow2: truncated: it has 143 bytes, its header alone 144");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 7})
    void a_file_shorter_than_the_magic_is_not_qcow2(int length) {
        assertRefused(new byte[length], length, Kind.NOT_QCOW2, "not a qcow2 image: it has only " + length + " bytes");
    }

    @Test
    void another_magic_is_not_qcow2() {
        assertRefused(
                putInt(bytes(), 0, 0x7f454c46),
                Kind.NOT_QCOW2,
                "not a qcow2 image: it starts with 7f454c46, not 514649fb");
    }

    @ParameterizedTest
    @ValueSource(ints = {8, 71, 103, 111})
    void a_file_cut_inside_its_header_is_truncated(int length) {
        assertThatThrownBy(() -> HeaderCodec.decode(Arrays.copyOf(bytes(), length), PATH, length))
                .isInstanceOf(Qcow2Exception.class)
                .hasMessageContaining("truncated: it has " + length + " bytes");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            4   | 1          | UNSUPPORTED | version is 1; only versions 2 and 3 are supported
            4   | 4          | UNSUPPORTED | version is 4; only versions 2 and 3 are supported
            16  | 1024       | MALFORMED   | backing_file_size is 1024, not 0 to 1023
            16  | -1         | MALFORMED   | backing_file_size is 4294967295, not 0 to 1023
            20  | 8          | MALFORMED   | cluster_bits is 8, not 9 to 21
            20  | 22         | MALFORMED   | cluster_bits is 22, not 9 to 21
            20  | -1         | MALFORMED   | cluster_bits is 4294967295, not 9 to 21
            32  | 3          | UNSUPPORTED | crypt_method is 3, not 0 to 2
            32  | 2          | MALFORMED   | crypt_method is 2 (LUKS), but there is no crypto header extension
            36  | 1          | MALFORMED   | l1_size is 1, but a disk of 1073741824 bytes needs 2
            36  | 4194305    | MALFORMED   | l1_size is 4194305, not 0 to 4194304
            56  | 0          | MALFORMED   | refcount_table_clusters is 0, not 1 to 128
            56  | 129        | MALFORMED   | refcount_table_clusters is 129, not 1 to 128
            60  | 65537      | MALFORMED   | nb_snapshots is 65537, not 0 to 65536
            60  | 1          | MALFORMED   | snapshots_offset is 0, where the header is
            96  | 7          | MALFORMED   | refcount_order is 7, not 0 to 6
            100 | 103        | MALFORMED   | header_length is 103, not 104 to 65536
            100 | 65537      | MALFORMED   | header_length is 65537, not 104 to 65536
            112 | 1          | MALFORMED   | header extension 0x1 has 4294967295 bytes, but only 16 are left for it
            """)
    void an_absurd_32_bit_field_is_refused_by_name_and_value(int offset, int value, Kind kind, String why) {
        byte[] bytes = putInt(withBacking(), offset, value);
        assertRefused(offset == 112 ? putInt(bytes, 116, -1) : bytes, kind, why);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            8   | 65537      | backing_file_offset is 65537, beyond the end of its cluster (65536)
            8   | -1         | backing_file_offset is 18446744073709551615, beyond 2^63 - 1
            24  | -512       | size is 18446744073709551104, beyond 2^63 - 1
            24  | 9223372036854775296 | l1_size is 4, but a disk of 9223372036854775296 bytes needs 17179869184
            40  | 512        | l1_table_offset is 0x200, not at the start of a cluster (cluster_bits is 16)
            40  | 0          | l1_table_offset is 0, where the header is
            40  | 262144     | truncated: l1_table_offset is 0x40000, the file ends at 0x40000
            40  | 72057594037927936 | l1_table_offset is 0x100000000000000, beyond 2^56
            48  | 65537      | refcount_table_offset is 0x10001, not at the start of a cluster (cluster_bits is 16)
            48  | 0          | refcount_table_offset is 0, where the header is
            48  | 9223372036854710272 | refcount_table_offset is 0x7fffffffffff0000, beyond 2^56
            48  | 1048576    | truncated: refcount_table_offset is 0x100000, the file ends at 0x40000
            72  | 8          | compression_type is 0, but incompatible_features is 0x8, with bit 3 set
            """)
    void an_absurd_64_bit_field_is_refused_by_name_and_value(int offset, long value, String why) {
        assertRefused(putLong(withBacking(), offset, value), Kind.MALFORMED, why);
    }

    @Test
    void a_compression_type_without_its_feature_bit_is_refused() {
        byte[] bytes = bytes();
        bytes[104] = 1;
        assertRefused(
                bytes, Kind.MALFORMED, "compression_type is 1, but incompatible_features is 0x0, with bit 3 clear");
        bytes[104] = 2;
        assertRefused(bytes, Kind.UNSUPPORTED, "compression_type is 2, not 0 or 1");
    }

    @Test
    void extended_l2_entries_need_clusters_of_16_kib() {
        byte[] bytes = putInt(putLong(bytes(), 72, Features.EXTENDED_L2), 20, 13);
        assertRefused(putInt(bytes, 36, 4096), Kind.MALFORMED, "cluster_bits is 13, too small for extended L2 entries");
    }

    @Test
    void a_doubled_extension_is_refused() throws Qcow2Exception {
        Header header = header(3, null, List.of(format("raw"), format("qcow2")));
        assertRefused(HeaderCodec.encode(header, PATH), Kind.MALFORMED, "header extension 0xe2792aca appears twice");
    }

    @Test
    void a_backing_name_with_a_nul_or_broken_utf_8_is_refused() throws Qcow2Exception {
        byte[] nul = HeaderCodec.encode(header(3, "a\0b", List.of()), PATH);
        assertRefused(
                nul,
                Kind.MALFORMED,
                "the backing file's name (backing_file_offset is 120, backing_file_size is 3) contains a NUL byte");
        byte[] broken = HeaderCodec.encode(header(3, "abc", List.of()), PATH);
        broken[120] = (byte) 0xff;
        assertRefused(
                broken,
                Kind.MALFORMED,
                "the backing file's name (backing_file_offset is 120, backing_file_size is 3) is not UTF-8");
    }

    @Test
    void a_backing_format_that_no_program_knows_the_length_of_is_refused() throws Qcow2Exception {
        byte[] bytes = HeaderCodec.encode(header(3, "base", List.of(format("x".repeat(16)))), PATH);
        assertRefused(bytes, Kind.MALFORMED, "the backing format's name has 16 bytes, more than 15");
    }

    @Test
    void a_bitmaps_extension_is_checked_only_while_it_is_live() throws Qcow2Exception {
        HeaderExtension short8 = new HeaderExtension(HeaderExtension.BITMAPS, new byte[8]);
        byte[] bytes = HeaderCodec.encode(header(3, null, List.of(short8)), PATH);
        assertThatCode(() -> decode(bytes)).doesNotThrowAnyException();
        assertRefused(
                putLong(bytes, 88, Features.BITMAPS), Kind.MALFORMED, "the bitmaps extension has 8 bytes, not 24");
        HeaderExtension empty = new HeaderExtension(HeaderExtension.BITMAPS, new byte[24]);
        byte[] none = HeaderCodec.encode(header(3, null, List.of(empty)), PATH);
        assertRefused(putLong(none, 88, Features.BITMAPS), Kind.MALFORMED, "nb_bitmaps is 0, not 1 to 65535");
    }

    @Test
    void a_name_that_does_not_fit_the_first_cluster_cannot_be_encoded() {
        Header small = new Header(3, 9, 0, 0, 0, 0, 512, 1, 0, 0, 0, 0, 0, 4, 112, 0, List.of(), "x".repeat(393));
        assertThatThrownBy(() -> HeaderCodec.encode(small, PATH))
                .hasMessage("disk.qcow2: the backing file's name has 393 bytes, which do not fit the header of an image"
                        + " with 512-byte clusters");
    }

    @Test
    void random_damage_gives_a_header_or_a_refusal_and_nothing_else() {
        for (long seed = 0; seed < 20_000; seed++) {
            Random random = new Random(seed);
            byte[] bytes = Arrays.copyOf(withBacking(), 200 + random.nextInt(CLUSTER - 200));
            for (int i = random.nextInt(4); i >= 0; i--) {
                bytes[4 + random.nextInt(196)] = (byte) random.nextInt();
            }
            try {
                // The file ends where the bytes do: a longer cluster than that is not the caller's mistake.
                HeaderCodec.decode(bytes, PATH, bytes.length);
            } catch (Qcow2Exception expected) {
                assertThat(expected.getMessage()).doesNotContain("\n");
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }

    private static void assertRefused(byte[] bytes, Kind kind, String why) {
        assertRefused(bytes, FILE, kind, why);
    }

    private static void assertRefused(byte[] bytes, long fileLength, Kind kind, String why) {
        assertThatThrownBy(() -> HeaderCodec.decode(bytes, PATH, fileLength))
                .isInstanceOfSatisfying(
                        Qcow2Exception.class, e -> assertThat(e.kind()).isEqualTo(kind))
                .hasMessage("disk.qcow2: " + why);
    }

    private static Header decode(byte[] bytes) throws Qcow2Exception {
        return HeaderCodec.decode(bytes, PATH, FILE);
    }

    private static byte[] bytes() {
        try {
            return HeaderCodec.encode(header(3, null, List.of()), PATH);
        } catch (Qcow2Exception e) {
            throw new AssertionError(e);
        }
    }

    private static byte[] withBacking() {
        try {
            return HeaderCodec.encode(header(3, "base.img", List.of(format("raw"))), PATH);
        } catch (Qcow2Exception e) {
            throw new AssertionError(e);
        }
    }

    private static HeaderExtension format(String name) {
        return new HeaderExtension(HeaderExtension.BACKING_FORMAT, name.getBytes(StandardCharsets.US_ASCII));
    }

    private static Header header(int version, @Nullable String backing, List<HeaderExtension> extensions) {
        return new Header(
                version,
                16,
                1L << 30,
                0,
                4,
                3L * CLUSTER,
                CLUSTER,
                1,
                0,
                0,
                0,
                version == 3 ? 1 : 0,
                0,
                4,
                HeaderCodec.headerLengthFor(version),
                0,
                extensions,
                backing);
    }

    private static byte[] putInt(byte[] bytes, int offset, int value) {
        ByteBuffer.wrap(bytes).putInt(offset, value);
        return bytes;
    }

    private static byte[] putLong(byte[] bytes, int offset, long value) {
        ByteBuffer.wrap(bytes).putLong(offset, value);
        return bytes;
    }
}
