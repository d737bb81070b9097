package io.qfuse.qcow2.info;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class JsonTest {

    @Test
    void strings_are_escaped_and_lists_and_maps_nest() {
        assertThat(Json.of(Map.of("a", List.of("x\"\\\n\u007f\u00e9", 5L, true, List.of()))))
                .isEqualTo(
                        "{\n    \"a\": [\n        \"x\\\"\\\\\\u000a\\u007f\u00e9\",\n        5,\n        true,\n        [\n        ]\n    ]\n}");
    }
}
