package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("system")
class DemoTest {

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    @Test
    void the_demo_shows_a_partition_in_a_raw_file_and_leaves_nothing_behind() throws IOException {
        Result demo = scratch.qfuse().ok("demo");
        assertThat(demo.err()).isEmpty();
        assertThat(demo.out()).contains("qfuse create", "qfuse mount", "Disklabel type: dos", "Linux", "qfuse unmount");
        assertThat(scratch.path("tmp")).isEmptyDirectory();
        assertThat(scratch.mounts()).isEmpty();
        assertThat(scratch.processesRunning("java")).isEmpty();
    }
}
