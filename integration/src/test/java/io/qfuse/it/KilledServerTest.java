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
class KilledServerTest {

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path image = Path.of("");
    private Path mountPoint = Path.of("");

    @BeforeEach
    void mount_an_image() throws IOException {
        image = scratch.path("disk.qcow2");
        mountPoint = scratch.directory("mnt");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", image, "64M");
        scratch.qfuse().ok("mount", "--pid-file=pid", image, mountPoint);
    }

    @Test
    void synced_data_are_there_and_the_check_finds_leaks_at_worst() throws Exception {
        scratch.shell()
                .script("head -c 8M /dev/urandom > synced;"
                        + " dd if=synced of=mnt/disk.raw bs=1M conv=notrunc,fsync status=none;"
                        + " head -c 8M /dev/urandom | dd of=mnt/disk.raw bs=1M seek=32 conv=notrunc status=none")
                .ok();
        scratch.kill("pid");
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.qemuImg().checkLeaksAtWorst(image);
        scratch.qemuImg().ok("convert", "-O", "raw", image, scratch.path("copy.raw"));
        scratch.shell().script("head -c 8M copy.raw | cmp - synced").ok();
    }

    @Test
    void a_bitmap_is_marked_in_use_after_a_kill_and_not_after_an_unmount() throws Exception {
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.qemuImg().ok("bitmap", "--add", image, "kept");
        String writing = "head -c 1M /dev/urandom | dd of=mnt/disk.raw bs=1M conv=notrunc,fsync status=none";
        for (boolean killed : new boolean[] {false, true}) {
            scratch.qfuse().ok("mount", "--pid-file=pid", image, mountPoint);
            scratch.shell().script(writing).ok();
            if (killed) {
                scratch.kill("pid");
            }
            scratch.qfuse().ok("unmount", mountPoint);
            String info = scratch.qemuImg().ok("info", image).out();
            assertThat(info).contains("kept");
            assertThat(info.contains("in-use")).isEqualTo(killed);
        }
        scratch.qemuImg().checkLeaksAtWorst(image);
    }

    @Test
    void the_next_mount_heals_what_it_left() throws Exception {
        scratch.kill("pid");
        assertThat(scratch.shell().run("ls", mountPoint).exit()).isNotZero();
        scratch.qfuse().ok("mount", image, mountPoint);
        assertThat(Files.size(mountPoint.resolve("disk.raw"))).isEqualTo(64 << 20);
        scratch.qfuse().ok("unmount", mountPoint);
        assertThat(scratch.mounts()).isEmpty();
        assertThat(mountPoint).isEmptyDirectory();
    }

    @Test
    void the_next_unmount_heals_what_it_left() throws Exception {
        scratch.kill("pid");
        scratch.qfuse().ok("unmount", mountPoint);
        assertThat(scratch.mounts()).isEmpty();
        assertThat(mountPoint).isEmptyDirectory();
    }
}
