package io.qfuse.fuse.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class RingSupportTest {

    @Test
    void processors_of_all_ranges_count() {
        assertThat(RingSupport.count("0")).isEqualTo(1);
        assertThat(RingSupport.count("0-1")).isEqualTo(2);
        assertThat(RingSupport.count("0-3,8,10-11")).isEqualTo(7);
    }
}
