package io.qfuse.qcow2.io;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class OneLineTest {

    @Test
    void what_a_terminal_would_obey_is_a_question_mark() {
        assertThat(OneLine.of("a\nb\r\u001b[2Jc\u009bd\u007f\u0000\u2028\u202ee"))
                .isEqualTo("a?b??[2Jc?d????e");
    }

    @Test
    void letters_of_any_script_stay() {
        assertThat(OneLine.of("Größe 図 \ud83d\ude00 \ufffd")).isEqualTo("Größe 図 \ud83d\ude00 \ufffd");
    }
}
