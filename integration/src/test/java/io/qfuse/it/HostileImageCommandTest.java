package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a user sees of an image that was made to do harm: one line, exit code 1, and nothing mounted. */
@Tag("system")
class HostileImageCommandTest {

    private static final int INCOMPATIBLE_FEATURES = 72;
    private static final int HEADER_LENGTH = 112;

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path image = Path.of("");
    private Path mountPoint = Path.of("");

    @BeforeEach
    void make_an_image() throws IOException {
        image = scratch.path("disk.qcow2");
        mountPoint = scratch.directory("mnt");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", image, "64M");
    }

    @AfterEach
    void nothing_is_mounted_and_nothing_runs() throws IOException {
        assertThat(scratch.mounts()).isEmpty();
        assertThat(scratch.processesRunning("java")).isEmpty();
    }

    /** Offsets are those of the header's fields; see {@code HostileFields} for all of them. */
    @ParameterizedTest
    @CsvSource({
        "8, 0x7fffffffffffffff, backing_file_offset",
        "24, 0x7fffffffffffffff, l1_size",
        "40, 0x0100000000000000, l1_table_offset",
        "48, 0x0000000000000001, refcount_table_offset",
        "56, 0x7fffffff7fffffff, refcount_table_clusters",
        "60, 0x0000000500000100, snapshots_offset",
        "112, 0x1234567800010000, header extension 0x12345678",
    })
    void a_hostile_header_is_one_line_to_whoever_asks_for_it_or_mounts_it(long offset, String value, String field)
            throws IOException {
        patch(offset, Long.decode(value));
        assertThat(refused("info", image)).contains(image + ": ", field);
        assertThat(refused("mount", image, mountPoint)).contains(image + ": ", field);
    }

    @Test
    void a_feature_cannot_be_given_a_name_that_the_terminal_obeys() throws IOException {
        patch(INCOMPATIBLE_FEATURES, 1L << 40);
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.seek(HEADER_LENGTH);
            assertThat(file.readInt()).as("the table of feature names").isEqualTo(0x6803f857);
            file.seek(HEADER_LENGTH + 8);
            file.writeShort(40); // takes the place of the first name
            file.write(Arrays.copyOf("wings\n\033[2Jclear".getBytes(StandardCharsets.US_ASCII), 46));
        }
        assertThat(refused("info", image)).contains("bit 40 (wings??[2Jclear)");
        assertThat(refused("mount", image, mountPoint)).contains("bit 40 (wings??[2Jclear)");
    }

    private String refused(Object... words) {
        String error = scratch.qfuse().run(words).ended(1).err();
        assertThat(error)
                .startsWith("qfuse: ")
                .hasLineCount(1)
                .doesNotContain("Exception")
                .doesNotContain("\033");
        return error;
    }

    private void patch(long offset, long value) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.seek(offset);
            file.writeLong(value);
        }
    }
}
