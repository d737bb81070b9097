package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("system")
class MountCommandTest {

    private static final int SIZE = 8 << 20;

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path image = Path.of("");
    private Path mountPoint = Path.of("");

    @BeforeEach
    void make_an_image_with_a_pattern() throws IOException {
        image = scratch.path("disk.qcow2");
        mountPoint = scratch.directory("mnt");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", image, SIZE);
        scratch.qemuIo().on(image, "write -P 0x5a 1M 64k");
    }

    @Test
    void the_raw_file_has_the_size_and_the_bytes_of_the_disk() throws IOException {
        scratch.qfuse().ok("mount", image, mountPoint);
        Path raw = mountPoint.resolve("disk.raw");
        assertThat(Files.size(raw)).isEqualTo(SIZE);
        scratch.shell()
                .run("qemu-io", "-f", "raw", "-r", "-c", "read -P 0x5a 1M 64k", raw)
                .ok();
        scratch.qfuse().ok("unmount", mountPoint);
    }

    @Test
    void what_is_written_to_the_raw_file_is_in_the_image_after_unmount() {
        scratch.qfuse().ok("mount", image, mountPoint);
        scratch.shell()
                .script("printf hello | dd of=mnt/disk.raw bs=5 seek=100000 conv=notrunc status=none")
                .ok();
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.qemuImg().check(image);
        scratch.qemuImg().ok("convert", "-O", "raw", image, scratch.path("copy.raw"));
        assertThat(scratch.shell()
                        .script("tail -c +500001 copy.raw | head -c 5")
                        .ok()
                        .out())
                .isEqualTo("hello");
    }

    @Test
    void a_command_that_has_returned_leaves_nothing_attached_to_its_caller() throws IOException {
        // The run would not end while the server held the pipes of the command.
        scratch.shell()
                .run("sh", "-c", Qfuse.LAUNCHER.toString().replace(" ", "\\ ") + " mount disk.qcow2 mnt | cat")
                .ok();
        assertThat(mountPoint.resolve("disk.raw")).exists();
        scratch.qfuse().ok("unmount", mountPoint);
        assertThat(scratch.processesRunning("java")).isEmpty();
    }

    @Test
    void several_images_share_one_directory() throws IOException {
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "other.qcow2", "1M");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "third.img", "2M");
        scratch.qfuse().ok("mount", image, "other.qcow2", "third.img", mountPoint);
        assertThat(scratch.shell().run("ls", mountPoint).ok().out()).isEqualTo("disk.raw\nother.raw\nthird.img.raw\n");
        assertThat(Files.size(mountPoint.resolve("other.raw"))).isEqualTo(1 << 20);
        scratch.qfuse().ok("unmount", mountPoint);
    }

    @Test
    void images_of_one_name_cannot_share_a_directory() throws IOException {
        Path second = Files.copy(image, scratch.directory("elsewhere").resolve("disk.qcow2"));
        Result result = scratch.qfuse().run("mount", image, second, mountPoint).ended(1);
        assertThat(result.err()).contains(second.toString(), "disk.raw").hasLineCount(1);
    }

    @Test
    void a_regular_file_is_mounted_over() throws IOException {
        Path file = Files.writeString(scratch.path("raw"), "what was here before");
        scratch.qfuse().ok("mount", image, file);
        assertThat(Files.size(file)).isEqualTo(SIZE);
        scratch.qfuse().ok("unmount", file);
        assertThat(file).hasContent("what was here before");
    }

    @Test
    void an_image_can_be_mounted_over_itself() throws IOException {
        scratch.qfuse().ok("mount", image, image);
        assertThat(Files.size(image)).isEqualTo(SIZE);
        scratch.shell().run("df", image).ok();
        scratch.qfuse().ok("unmount", image);
        scratch.qemuImg().check(image);
    }

    @Test
    void an_image_can_be_mounted_over_the_directory_that_it_lies_in() throws IOException {
        Path inside = Files.move(image, mountPoint.resolve("disk.qcow2"));
        scratch.qfuse().ok("mount", inside, mountPoint);
        assertThat(Files.size(mountPoint.resolve("disk.raw"))).isEqualTo(SIZE);
        scratch.shell().run("df", mountPoint).ok();
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.qemuImg().check(inside);
    }

    @ParameterizedTest
    @ValueSource(strings = {"--read-only", "-oro"})
    void read_only_refuses_writers_and_leaves_the_image_as_it_was(String option) {
        String before = scratch.shell().run("sha256sum", image).ok().out();
        scratch.qfuse().ok("mount", option, image, mountPoint);
        Result write = scratch.shell().script("echo x > mnt/disk.raw");
        assertThat(write.exit()).isNotZero();
        assertThat(write.err()).contains("Read-only file system");
        scratch.qfuse().ok("unmount", mountPoint);
        assertThat(scratch.shell().run("sha256sum", image).ok().out()).isEqualTo(before);
    }

    @Test
    void relative_paths_mean_the_directory_of_the_command() {
        scratch.qfuse().ok("mount", "--pid-file=server.pid", "--log-file=server.log", "disk.qcow2", "mnt");
        assertThat(scratch.path("server.pid")).exists();
        assertThat(scratch.path("server.log")).exists();
        scratch.qfuse().ok("unmount", "mnt");
        assertThat(scratch.path("server.pid")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(strings = {"INT", "TERM", "HUP"})
    void a_signal_unmounts_flushes_and_ends_with_zero(String signal) throws Exception {
        Process server = scratch.qfuse().start("mount", "--foreground", "--pid-file=pid", image, mountPoint);
        awaitMount(server);
        scratch.shell()
                .script("printf hello | dd of=mnt/disk.raw conv=notrunc status=none")
                .ok();
        scratch.shell().script("kill -" + signal + " $(cat pid)").ok();
        assertThat(server.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(server.exitValue()).isZero();
        assertThat(scratch.mounts()).isEmpty();
        scratch.qemuImg().check(image);
        scratch.qemuImg().ok("convert", "-O", "raw", image, scratch.path("copy.raw"));
        assertThat(scratch.shell().run("head", "-c", "5", "copy.raw").ok().out())
                .isEqualTo("hello");
    }

    @Test
    void a_second_signal_does_no_harm() throws Exception {
        Process server = scratch.qfuse().start("mount", "--foreground", "--pid-file=pid", image, mountPoint);
        awaitMount(server);
        scratch.shell()
                .script("head -c 4M /dev/urandom | dd of=mnt/disk.raw bs=1M conv=notrunc status=none")
                .ok();
        // The second and third may find the process gone.
        scratch.shell()
                .run("sh", "-c", "p=$(cat pid); kill -TERM $p; kill -INT $p; kill -TERM $p; true")
                .ok();
        assertThat(server.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(server.exitValue()).isZero();
        scratch.qemuImg().check(image);
    }

    @Test
    void plain_umount_ends_the_server_too() throws Exception {
        Process server = scratch.qfuse().start("mount", "--foreground", "--pid-file=pid", image, mountPoint);
        awaitMount(server);
        scratch.shell().run("umount", mountPoint).ok();
        assertThat(server.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(server.exitValue()).isZero();
    }

    @Test
    void a_server_whose_command_is_killed_before_it_is_ready_ends() throws Exception {
        Process command = scratch.qfuse().start("mount", image, mountPoint);
        Await.until("the server starts", () -> scratch.processesRunning("java").size() > 1 || !command.isAlive());
        List<Long> started = scratch.processesRunning("java");
        boolean ready = command.destroyForcibly().waitFor() == 0;
        if (ready) {
            scratch.qfuse().ok("unmount", mountPoint);
        }
        Scratch.awaitEnd(started);
        Await.until("the server ends", () -> scratch.processesRunning("java").isEmpty());
        assertThat(scratch.mounts()).isEmpty();
        scratch.qemuImg().check(image);
    }

    private void awaitMount(Process server) throws Exception {
        Path pid = scratch.path("pid");
        Await.until("the server serves", () -> (Files.exists(pid) && Files.size(pid) > 0) || !server.isAlive());
    }
}
