package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.io.IOException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What the fuzzer has kept because each input went where no other did, and what it has found. */
@Tag("hostile")
final class FuzzCorpusTest {

    private static final Duration MOST = Duration.ofSeconds(5);

    static List<String> images() throws IOException {
        return FuzzTarget.IMAGE.corpus();
    }

    static List<String> files() throws IOException {
        return FuzzTarget.FILE.corpus();
    }

    @ParameterizedTest
    @MethodSource("images")
    void damaged_image_that_the_fuzzer_kept(String input) {
        replayImage(input);
    }

    @ParameterizedTest
    @MethodSource("files")
    void file_that_the_fuzzer_kept(String input) {
        assertTimeoutPreemptively(MOST, () -> RawImageFuzzer.fuzzerTestOneInput(FuzzInput.parse(input)));
    }

    @Test
    void an_input_that_is_kept_comes_back_whole() throws IOException {
        for (String line : files()) {
            byte[] bytes = FuzzInput.parse(line);
            assertThat(FuzzInput.format(bytes)).isEqualTo(line);
            assertThat(FuzzInput.parse(HexFormat.of().formatHex(bytes))).isEqualTo(bytes);
        }
    }

    @Test
    void count_behind_the_end_of_the_file_was_there_before_the_file_grew() {
        replayImage("082600008000200220006003000008000608004026000040260000000800060000000500008000f9ff040000");
    }

    private static void replayImage(String input) {
        assertTimeoutPreemptively(MOST, () -> ImageFuzzer.fuzzerTestOneInput(FuzzInput.parse(input)));
    }
}
