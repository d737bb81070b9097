package io.qfuse.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

final class MountTableTest {

    private static final String TEXT = """
            22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
            40 22 0:39 / /mnt/two\\040words\\134x rw,nosuid shared:5 master:7 - fuse.qfuse /img/a\\040b.qcow2 rw,user_id=0
            41 22 0:40 / /mnt/stack rw - fuse.qfuse below rw
            42 41 0:41 / /mnt/stack rw - tmpfs above rw
            43 22 0:42 / /mnt/\303\244 rw - fuse.qfuse x rw
            nonsense
            """;

    private final MountTable table = MountTable.parse(TEXT);

    @Test
    void escapes_and_bytes_are_resolved() {
        var entry = table.at(Path.of("/mnt/two words\\x")).orElseThrow();
        assertThat(entry)
                .isEqualTo(
                        new MountTable.Entry("0:39", Path.of("/mnt/two words\\x"), "fuse.qfuse", "/img/a b.qcow2", 0));
        assertThat(table.ours()).extracting(MountTable.Entry::device).containsExactly("0:39", "0:40", "0:42");
    }

    @Test
    void the_mount_on_top_is_found() {
        assertThat(table.at(Path.of("/mnt/stack")).orElseThrow().source()).isEqualTo("above");
        assertThat(table.at(Path.of("/mnt"))).isEmpty();
    }

    @Test
    void this_machines_table_has_a_root() throws Exception {
        assertThat(MountTable.read().at(Path.of("/"))).isPresent();
    }
}
