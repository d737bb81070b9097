package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("system")
class UnmountCommandTest {

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path image = Path.of("");
    private Path mountPoint = Path.of("");

    @BeforeEach
    void mount_an_image() throws IOException {
        image = scratch.path("disk.qcow2");
        mountPoint = scratch.directory("mnt");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", image, "64M");
        scratch.qfuse().ok("mount", image, mountPoint);
    }

    @Test
    void when_it_returns_the_server_is_gone_and_the_image_is_free() throws IOException {
        scratch.shell()
                .script(
                        "head -c 32M /dev/urandom > random; dd if=random of=mnt/disk.raw bs=1M conv=notrunc status=none")
                .ok();
        scratch.qfuse().ok("unmount", mountPoint);
        assertThat(scratch.processesRunning("java")).isEmpty();
        scratch.qemuImg().check(image);
        scratch.qemuIo().on(image, "write 0 4k");
    }

    @Test
    void umount_is_another_name_for_it_and_a_relative_path_or_a_link_will_do() throws IOException {
        Files.createSymbolicLink(scratch.path("link"), mountPoint);
        scratch.qfuse().ok("umount", "link");
        assertThat(scratch.mounts()).isEmpty();
    }

    @Test
    void a_mount_point_that_a_process_stands_in_is_busy_and_the_process_is_named() {
        Process holder = scratch.shell().in(mountPoint).start("sleep", "300");
        Result result = scratch.qfuse().run("unmount", mountPoint).ended(1);
        assertThat(result.err())
                .startsWith("qfuse: " + mountPoint + ": ")
                .contains("sleep (process " + holder.pid() + ")")
                .hasLineCount(1);
        holder.destroy();
    }

    @Test
    void an_open_raw_file_is_busy_and_serving_goes_on() throws IOException {
        try (FileChannel open = FileChannel.open(mountPoint.resolve("disk.raw"), StandardOpenOption.READ)) {
            Result result = scratch.qfuse().run("unmount", mountPoint).ended(1);
            assertThat(result.err())
                    .contains("(process " + ProcessHandle.current().pid() + ")")
                    .hasLineCount(1);
            assertThat(open.size()).isEqualTo(64 << 20);
        }
        scratch.qfuse().ok("unmount", mountPoint);
    }

    @Test
    void a_loop_device_over_the_raw_file_is_named() {
        String loop = scratch.shell()
                .run("losetup", "-f", "--show", mountPoint.resolve("disk.raw"))
                .ok()
                .out()
                .strip();
        Result result = scratch.qfuse().run("unmount", mountPoint).ended(1);
        assertThat(result.err()).contains(loop).hasLineCount(1);
        scratch.shell().run("losetup", "-d", loop).ok();
        scratch.qfuse().ok("unmount", mountPoint);
    }

    @Test
    void a_mount_inside_is_named() throws IOException {
        Path inside = mountPoint.resolve("disk.raw");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "b.qcow2", "1M");
        scratch.qfuse().ok("mount", "b.qcow2", inside);
        assertThat(scratch.qfuse().run("unmount", mountPoint).ended(1).err())
                .contains("the mount at " + inside)
                .hasLineCount(1);
        scratch.qfuse().ok("unmount", inside);
        scratch.qfuse().ok("unmount", mountPoint);
    }

    @Test
    void nothing_mounted_is_an_error() throws IOException {
        scratch.qfuse().ok("unmount", mountPoint);
        Result result = scratch.qfuse().run("unmount", mountPoint).ended(1);
        assertThat(result.err()).startsWith("qfuse: " + mountPoint + ": ").hasLineCount(1);
        assertThat(scratch.mounts()).isEmpty();
    }

    @Test
    void the_mount_of_another_file_system_is_left_alone() throws IOException {
        Path other = scratch.directory("other");
        scratch.shell().run("mount", "-t", "tmpfs", "tmpfs", other).ok();
        Result result = scratch.qfuse().run("unmount", other).ended(1);
        assertThat(result.err()).contains("tmpfs").hasLineCount(1);
        assertThat(scratch.mounts()).contains(other.toString());
    }

    @Test
    void several_mounts_go_in_one_call() throws IOException {
        Path second = scratch.directory("second");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "b.qcow2", "1M");
        scratch.qfuse().ok("mount", "b.qcow2", second);
        scratch.qfuse().ok("unmount", mountPoint, second);
        assertThat(scratch.mounts()).isEmpty();
    }
}
