package io.qfuse.it;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("system")
class LockTest {

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path image = Path.of("");
    private Path mountPoint = Path.of("");

    @BeforeEach
    void make_an_image() throws IOException {
        image = scratch.path("disk.qcow2");
        mountPoint = scratch.directory("mnt");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", image, "1M");
    }

    @Test
    void qemu_cannot_open_what_qfuse_serves_for_writing() {
        scratch.qfuse().ok("mount", image, mountPoint);
        assertThat(scratch.qemuImg().run("info", image).ended(1).err()).contains("lock");
        scratch.qemuImg().ok("info", "-U", image);
    }

    @Test
    void qemu_can_read_but_not_write_what_qfuse_serves_for_reading() {
        scratch.qfuse().ok("mount", "--read-only", image, mountPoint);
        scratch.qemuImg().ok("info", image);
        Result write = scratch.shell().run("qemu-io", "-f", "qcow2", "-c", "write 0 512", image);
        assertThat(write.exit()).isNotZero();
        assertThat(write.err()).contains("lock");
    }

    @Test
    void qfuse_cannot_serve_what_qemu_writes_unless_it_is_forced_to_read() throws Exception {
        Process qemu = scratch.shell().start("qemu-io", "-f", "qcow2", image);
        try (OutputStream commands = qemu.getOutputStream()) {
            // What it has written it has open, and locked.
            commands.write("write 0 512\n".getBytes(US_ASCII));
            commands.flush();
            assertThat(qemu.getInputStream().read()).isPositive();

            assertRefused(scratch.qfuse().run("mount", image, mountPoint), "qemu-io", qemu.pid());
            assertRefused(scratch.qfuse().run("mount", "--read-only", image, mountPoint), "qemu-io", qemu.pid());
            scratch.qfuse().ok("mount", "--read-only", "--force-share", image, mountPoint);
            scratch.qfuse().ok("unmount", mountPoint);
        }
        assertThat(qemu.waitFor()).isZero();
    }

    @Test
    void two_servers_of_one_image_exclude_each_other_unless_both_read() throws IOException {
        Path second = scratch.directory("second");
        scratch.qfuse().ok("mount", "--pid-file=pid", image, mountPoint);
        long server = Long.parseLong(Files.readString(scratch.path("pid")).strip());
        assertRefused(scratch.qfuse().run("mount", image, second), "qfuse", server);
        assertRefused(scratch.qfuse().run("mount", "--read-only", image, second), "qfuse", server);
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.qfuse().ok("mount", "--read-only", image, mountPoint);
        scratch.qfuse().ok("mount", "--read-only", image, second);
    }

    private void assertRefused(Result result, String holder, long process) {
        assertThat(result.ended(1).err())
                .startsWith("qfuse: " + image + ": ")
                .contains("lock", holder + " (process " + process + ")")
                .hasLineCount(1);
    }
}
