package io.qfuse.qcow2.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

final class FeaturesTest {

    private static final Path PATH = Path.of("disk.qcow2");

    @Test
    void a_damaged_image_is_read_but_not_written() {
        assertThatCode(() -> Features.requireSupported(header(3, 0), false, PATH))
                .doesNotThrowAnyException();
        assertRefused(
                header(2, 0),
                true,
                Kind.CORRUPT,
                "marked corrupt (incompatible feature bit 1): it can be read, but only a repair may write to it");
    }

    @Test
    void an_unknown_feature_is_called_by_the_name_that_the_image_gives_it() {
        byte[] table = new byte[96];
        table[1] = 5;
        byte[] name = "zoned\033[31m".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(name, 0, table, 2, name.length);
        table[48] = 1; // a compatible feature of the same bit is another feature
        table[49] = 63;
        table[50] = 'x';
        Header header = header(1L << 5 | 1L << 63, 0, new HeaderExtension(HeaderExtension.FEATURE_NAMES, table));
        assertRefused(
                header,
                false,
                Kind.UNSUPPORTED,
                "incompatible_features is 0x8000000000000020, with unknown bit 5 (zoned?[31m), bit 63");
    }

    @Test
    void the_table_that_is_written_names_all_known_features() {
        List<HeaderExtension> table = List.of(FeatureNames.table());
        assertThat(FeatureNames.find(table, 0, 4)).isEqualTo("extended L2 entries");
        assertThat(FeatureNames.find(table, 2, 1)).isEqualTo("raw external data");
        assertThat(FeatureNames.find(table, 2, 2)).isEmpty();
    }

    private static void assertRefused(Header header, boolean writable, Kind kind, String why) {
        assertThatThrownBy(() -> Features.requireSupported(header, writable, PATH))
                .isInstanceOfSatisfying(
                        Qcow2Exception.class, e -> assertThat(e.kind()).isEqualTo(kind))
                .hasMessage("disk.qcow2: " + why);
    }

    private static Header header(long incompatible, int crypt, HeaderExtension... extensions) {
        return new Header(
                3, 16, 0, crypt, 0, 0, 65536, 1, 0, 0, incompatible, 0, 0, 4, 112, 0, List.of(extensions), null);
    }
}
