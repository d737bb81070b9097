package io.qfuse.qcow2.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class RefcountWidthTest {

    @ParameterizedTest
    @CsvSource({"0,5f", "1,5511", "2,11110101", "3,01010101010001", "4,0001000100010001000100000001"})
    void the_layout_is_that_of_the_format(int order, String hex) {
        // Clusters 0 to 6 in use but for the fifth, as dumped from real images.
        byte[] block = new byte[64];
        RefcountWidth width = new RefcountWidth(order);
        for (int i = 0; i < 7; i++) {
            width.set(block, i, i == 5 ? 0 : 1);
        }
        assertThat(HexFormat.of().formatHex(block)).startsWith(hex).matches(hex + "0+");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6})
    void every_count_comes_back_and_leaves_its_neighbours(int order) {
        RefcountWidth width = new RefcountWidth(order);
        Random random = new Random(order);
        byte[] block = new byte[512];
        long[] expected = new long[(512 * 8) >> order];
        for (int i = 0; i < 5000; i++) {
            int index = random.nextInt(expected.length);
            expected[index] = i % 7 == 0 ? width.max() : random.nextLong() & width.max();
            width.set(block, index, expected[index]);
        }
        for (int i = 0; i < expected.length; i++) {
            assertThat(width.get(block, i)).isEqualTo(expected[i]);
        }
    }

    @ParameterizedTest
    @CsvSource({"0,1", "1,3", "2,15", "3,255", "4,65535", "5,4294967295", "6,9223372036854775807"})
    void an_overflow_is_told_before_it_happens(int order, long max) {
        RefcountWidth width = new RefcountWidth(order);
        assertThat(width.max()).isEqualTo(max);
        assertThat(width.canAdd(max - 1, 1)).isTrue();
        assertThat(width.canAdd(max, 1)).isFalse();
        assertThatThrownBy(() -> width.set(new byte[8], 0, max + 1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void a_64_bit_count_beyond_the_signed_range_reads_as_the_largest() {
        byte[] block = HexFormat.of().parseHex("ffffffffffffffff8000000000000000");
        RefcountWidth width = new RefcountWidth(6);
        assertThat(width.get(block, 0)).isEqualTo(width.max());
        assertThat(width.get(block, 1)).isEqualTo(width.max());
    }
}
