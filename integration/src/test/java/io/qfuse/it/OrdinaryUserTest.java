package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Everything works without root's rights, by fusermount3. */
@Tag("system")
class OrdinaryUserTest {

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path image = Path.of("");
    private Path mountPoint = Path.of("");

    @BeforeEach
    void give_the_user_an_image_and_a_mount_point() throws IOException {
        image = scratch.path("disk.qcow2");
        mountPoint = scratch.directory("mnt");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", image, "64M");
        String user = Shell.ORDINARY_USER + ":" + Shell.ORDINARY_USER;
        scratch.shell().run("chown", user, image, mountPoint).ok();
    }

    @Test
    void the_raw_file_is_written_and_read_and_the_image_is_right_after_unmount() throws IOException {
        Qfuse qfuse = scratch.qfuseAsOrdinaryUser();
        qfuse.ok("mount", image, mountPoint);
        qfuse.shell()
                .script("head -c 4M /dev/urandom > tmp/data;"
                        + " dd if=tmp/data of=mnt/disk.raw bs=1M seek=3 conv=notrunc,fsync status=none;"
                        + " tail -c +3145729 mnt/disk.raw | head -c 4M | cmp - tmp/data")
                .ok();
        qfuse.ok("unmount", mountPoint);
        assertThat(scratch.mounts()).isEmpty();
        assertThat(scratch.processesRunning("java")).isEmpty();
        scratch.qemuImg().check(image);
        scratch.qemuImg().ok("convert", "-O", "raw", image, scratch.path("copy.raw"));
        scratch.shell()
                .script("tail -c +3145729 copy.raw | head -c 4M | cmp - tmp/data")
                .ok();
    }

    @Test
    void the_files_belong_to_the_user() throws IOException {
        Qfuse qfuse = scratch.qfuseAsOrdinaryUser();
        qfuse.ok("mount", image, mountPoint);
        String owners = qfuse.shell()
                .run("stat", "-c", "%u %g", "mnt", "mnt/disk.raw")
                .ok()
                .out();
        String own = Shell.ORDINARY_USER + " " + Shell.ORDINARY_USER + "\n";
        assertThat(owners).isEqualTo(own + own);
        qfuse.ok("unmount", mountPoint);
    }

    @Test
    void a_file_of_the_user_is_mounted_over() throws IOException {
        Qfuse qfuse = scratch.qfuseAsOrdinaryUser();
        qfuse.shell().script("echo before > tmp/raw").ok();
        qfuse.ok("mount", image, scratch.path("tmp/raw"));
        assertThat(qfuse.shell().run("stat", "-c", "%s", "tmp/raw").ok().out().strip())
                .isEqualTo("67108864");
        qfuse.ok("unmount", scratch.path("tmp/raw"));
        assertThat(scratch.path("tmp/raw")).hasContent("before");
    }

    @Test
    void a_stale_mount_is_healed() throws Exception {
        Qfuse qfuse = scratch.qfuseAsOrdinaryUser();
        qfuse.ok("mount", "--pid-file=tmp/pid", image, mountPoint);
        scratch.kill("tmp/pid");
        qfuse.ok("mount", image, mountPoint);
        qfuse.shell().run("cat", "mnt/disk.raw").ok();
        qfuse.ok("unmount", mountPoint);
        assertThat(scratch.mounts()).isEmpty();
    }

    @Test
    void root_can_unmount_what_the_user_has_mounted() throws IOException {
        scratch.qfuseAsOrdinaryUser().ok("mount", image, mountPoint);
        scratch.qfuse().ok("unmount", mountPoint);
        assertThat(scratch.processesRunning("java")).isEmpty();
    }

    @Test
    void the_demo_works_and_leaves_nothing_behind() throws IOException {
        Result demo = scratch.qfuseAsOrdinaryUser().ok("demo");
        assertThat(demo.out()).contains("disk.raw");
        assertThat(scratch.path("tmp")).isEmptyDirectory();
    }
}
