package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class SizesTest {

    @ParameterizedTest
    @CsvSource({"0,0", "512,512", "64k,65536", "64K,65536", "1.5G,1610612736", "2M,2097152", "7E,8070450532247928832"})
    void suffixes_count_in_powers_of_1024(String text, long bytes) {
        assertThat(Sizes.parse(text)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "k", "-1", "+1", "0x10", "1 G", "1GiB", "8E", "0.3", "1e3", "9999999999999999999"})
    void what_is_no_size_is_refused_with_the_text(String text) {
        assertThatThrownBy(() -> Sizes.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("'" + text + "'");
    }

    @ParameterizedTest
    @CsvSource({
        "0,0 B",
        "512,512 B",
        "1000,0.977 KiB",
        "1024,1 KiB",
        "100352,98 KiB",
        "200704,196 KiB",
        "1610612736,1.5 GiB",
        "1073741824000,0.977 TiB",
        "9223372036854775807,8 EiB"
    })
    void a_size_is_shown_with_three_digits(long bytes, String shown) {
        assertThat(Sizes.format(bytes)).isEqualTo(shown);
    }
}
