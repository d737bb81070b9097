package io.qfuse.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class SnapshotNamesTest {

    private final SnapshotNames names = new SnapshotNames();

    @Test
    void usual_names_stay_as_they_are() {
        assertThat(names.next("1", "before upgrade")).isEqualTo("1-before upgrade.raw");
        assertThat(names.next("2", "日本 käse")).isEqualTo("2-日本 käse.raw");
        assertThat(names.next("3", "")).isEqualTo("3.raw");
    }

    @Test
    void what_no_file_name_may_hold_becomes_an_underscore() {
        assertThat(names.next("1", "a/b\0c\nd\u007f")).isEqualTo("1-a_b_c_d_.raw");
        assertThat(names.next("../..", "..")).isEqualTo(".._..-...raw");
        assertThat(names.next(".", "")).isEqualTo("..raw");
        assertThat(names.next("", "")).isEqualTo(".raw");
        assertThat(names.next("2", "half \ud800 of")).isEqualTo("2-half _ of.raw");
        assertThat(names.next("3", "no UTF-8: \ufffd")).isEqualTo("3-no UTF-8: \ufffd.raw");
    }

    @Test
    void names_of_any_length_fit_between_characters() {
        assertThat(names.next("1", "x".repeat(70_000))).hasSize(255).endsWith("x.raw");
        String wide = names.next("1", "日".repeat(300));
        assertThat(wide.getBytes(StandardCharsets.UTF_8)).hasSizeBetween(253, 255);
        assertThat(wide).startsWith("1-日").endsWith("日.raw");
    }

    @Test
    void those_of_one_name_are_numbered_even_where_it_is_long_and_the_number_is_taken() {
        assertThat(names.next("1", "a")).isEqualTo("1-a.raw");
        assertThat(names.next("1", "a~2")).isEqualTo("1-a~2.raw");
        assertThat(names.next("1", "a")).isEqualTo("1-a~3.raw");
        assertThat(names.next("1", "a")).isEqualTo("1-a~4.raw");
        String first = names.next("1", "y".repeat(300));
        assertThat(names.next("1", "y".repeat(300))).isNotEqualTo(first).endsWith("y~2.raw");
    }

    @Test
    void any_texts_at_all_get_distinct_legal_names() {
        for (long seed = 0; seed < 20; seed++) {
            Random random = new Random(seed);
            SnapshotNames some = new SnapshotNames();
            Set<String> seen = new HashSet<>();
            for (int i = 0; i < 500; i++) {
                String name = some.next(text(random), text(random));
                assertThat(name).as("seed %s", seed).doesNotContain("/", "\0").isNotIn(List.of("", ".", ".."));
                assertThat(name.getBytes(StandardCharsets.UTF_8).length).isBetween(4, 255);
                assertThat(new String(name.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8))
                        .isEqualTo(name);
                assertThat(seen.add(name)).as("seed %s: %s twice", seed, name).isTrue();
            }
        }
    }

    private static String text(Random random) {
        int[] choice = {'a', '.', '/', 0, '~', '2', 0xe4, 0x65e5, 0x1f600, 0xd800, 0xdc00};
        StringBuilder text = new StringBuilder();
        int length = random.nextInt(4) == 0 ? random.nextInt(300) : random.nextInt(3);
        for (int i = 0; i < length; i++) {
            text.appendCodePoint(choice[random.nextInt(choice.length)]);
        }
        return text.toString();
    }

    @Test
    void as_many_of_one_long_name_as_an_image_can_have_are_told_apart() {
        Set<String> seen = new HashSet<>();
        for (int i = 0; i < 65536; i++) {
            seen.add(names.next("1", "z".repeat(245) + (char) ('a' + i % 20) + "tail"));
        }
        assertThat(seen).hasSize(65536);
    }
}
