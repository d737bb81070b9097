package io.qfuse.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.cli.ProgressMeter.Style;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

class ProgressMeterTest {

    private final StringWriter told = new StringWriter();

    private ProgressMeter meter(Style style) {
        return new ProgressMeter(new PrintWriter(told, true), style);
    }

    @Test
    void a_line_has_the_share_the_bytes_the_rate_and_the_time_left() {
        ProgressMeter meter = meter(Style.LINE);
        assertThat(meter.text(1L << 30, 4L << 30, 2_000_000_000L))
                .isEqualTo(" 25 %  1 GiB of 4 GiB, 512 MiB/s, 7 s left");
        assertThat(meter.text(4L << 30, 4L << 30, 8_000_000_000L)).isEqualTo("100 %  4 GiB of 4 GiB, 512 MiB/s");
        assertThat(meter.text(0, 4L << 30, 1)).isEqualTo("  0 %  0 B of 4 GiB, 0 B/s");
        assertThat(meter.text(0, 0, 1)).startsWith("100 %");
        assertThat(meter.text(1, 1L << 40, 1_000_000_000L)).endsWith(" h left");
    }

    @Test
    void an_object_has_what_a_program_asks_for() {
        assertThat(meter(Style.JSON).text(1000, 4000, 1_000_000_000L))
                .isEqualTo("{\"done\":1000,\"total\":4000,\"elapsed_ns\":1000000000,\"bytes_per_second\":1000,"
                        + "\"left_ns\":3000000000}");
    }

    @Test
    void what_takes_no_time_is_not_told_of() {
        for (Style style : Style.values()) {
            try (ProgressMeter meter = meter(style)) {
                meter.begin(100);
                meter.advance(100);
            }
        }
        assertThat(told.toString()).isEmpty();
    }
}
