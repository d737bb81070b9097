package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("system")
class SnapshotViewTest {

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path image = Path.of("");
    private Path mountPoint = Path.of("");

    @BeforeEach
    void make_an_image_with_two_snapshots_of_different_sizes() throws IOException {
        image = scratch.path("disk.qcow2");
        mountPoint = scratch.directory("mnt");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", image, 4 << 20);
        scratch.qemuIo().on(image, "write -P 0x11 1M 64k");
        scratch.qemuImg().ok("snapshot", "-c", "first", image);
        scratch.qemuIo().on(image, "write -P 0x22 1M 64k");
        scratch.qemuImg().ok("resize", "-q", image, "8M");
        scratch.qemuImg().ok("snapshot", "-c", "second", image);
        scratch.qemuIo().on(image, "write -P 0x33 1M 64k");
    }

    @Test
    void a_snapshot_is_shown_by_name_or_id_with_its_own_size_and_bytes() throws IOException {
        assertShows("first", 4 << 20, "0x11");
        assertShows("2", 8 << 20, "0x22");
        scratch.qemuImg().check(image);
    }

    private void assertShows(String snapshot, long size, String pattern) throws IOException {
        scratch.qfuse().ok("mount", "--read-only", "--snapshot", snapshot, image, mountPoint);
        Path raw = mountPoint.resolve("disk.raw");
        assertThat(Files.size(raw)).isEqualTo(size);
        scratch.shell()
                .run("qemu-io", "-f", "raw", "-r", "-c", "read -P " + pattern + " 1M 64k", raw)
                .ok();
        scratch.qfuse().ok("unmount", mountPoint);
    }

    @Test
    void a_snapshot_that_is_not_there_is_answered_with_those_that_are() {
        Result result = scratch.qfuse()
                .run("mount", "--read-only", "--snapshot", "third", image, mountPoint)
                .ended(1);
        assertThat(result.err()).contains("'third'", "1 (first), 2 (second)").hasLineCount(1);
    }

    @Test
    void a_snapshot_is_not_mounted_for_writing() {
        Result result = scratch.qfuse()
                .run("mount", "--snapshot", "first", image, mountPoint)
                .ended(2);
        assertThat(result.err()).contains("--snapshot", "--read-only");
    }

    @Test
    void without_its_backing_file_an_overlay_shows_zeroes_in_its_place() throws IOException {
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "-b", image, "-F", "qcow2", scratch.path("over.qcow2"));
        scratch.qemuIo().on(scratch.path("over.qcow2"), "write -P 0x44 0 64k");
        Files.move(image, scratch.path("moved.qcow2"));
        scratch.qfuse().ok("mount", "--read-only", "--no-backing", "over.qcow2", mountPoint);
        scratch.shell()
                .run("qemu-io", "-f", "raw", "-r", "-c", "read -P 0x44 0 64k", "-c", "read -P 0 1M 64k", "mnt/over.raw")
                .ok();
        scratch.qfuse().ok("unmount", mountPoint);
    }
}
