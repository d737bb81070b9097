package io.qfuse.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class FuseConfigurationTest {

    @Test
    void only_the_word_on_a_line_of_its_own_counts() {
        assertThat(FuseConfiguration.allowsOthers("# comment\nmount_max = 3\n  user_allow_other \n"))
                .isTrue();
        assertThat(FuseConfiguration.allowsOthers("#user_allow_other\n")).isFalse();
        assertThat(FuseConfiguration.allowsOthers("user_allow_other_not\n")).isFalse();
    }
}
