package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.fuse.Transport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("system")
class IoUringCommandTest {

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path image = Path.of("");
    private Path mountPoint = Path.of("");
    private String over = "";

    @BeforeEach
    void make_an_image() throws IOException {
        over = Qfuse.over(Transport.IO_URING);
        image = scratch.path("disk.qcow2");
        mountPoint = scratch.directory("mnt");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", image, "64M");
    }

    private ProcessHandle mount() throws IOException {
        scratch.qfuse().ok("mount", "--pid-file=pid", over, image, mountPoint);
        return ProcessHandle.of(
                        Long.parseLong(Files.readString(scratch.path("pid")).strip()))
                .orElseThrow();
    }

    @Test
    void a_killed_server_leaves_what_was_synced_and_a_mount_that_heals() throws Exception {
        mount();
        scratch.shell()
                .script("head -c 8M /dev/urandom > synced;"
                        + " dd if=synced of=mnt/disk.raw bs=1M conv=notrunc,fsync status=none")
                .ok();
        Process reader = scratch.shell().start("dd", "if=mnt/disk.raw", "of=/dev/null", "iflag=direct", "bs=4k");
        scratch.kill("pid");
        reader.waitFor();
        mount();
        scratch.shell().script("head -c 8M mnt/disk.raw | cmp - synced").ok();
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.qemuImg().checkLeaksAtWorst(image);
        assertThat(scratch.mounts()).isEmpty();
    }

    @Test
    void a_lazy_unmount_serves_its_users_and_ends_with_the_last() throws Exception {
        ProcessHandle server = mount();
        scratch.shell()
                .script("exec 3< mnt/disk.raw; umount -l mnt; head -c 1M <&3 | cmp -n 1048576 - /dev/zero")
                .ok();
        Await.until("the server has ended", () -> !server.isAlive());
        assertThat(scratch.mounts()).isEmpty();
    }

    @Test
    void where_it_is_not_to_be_had_one_line_says_so_unless_quiet() throws Exception {
        IoUringHost.without(() -> {
            Result told = scratch.qfuse().ok("mount", over, image, mountPoint);
            assertThat(told.err().lines().filter(line -> line.contains("io_uring")))
                    .singleElement()
                    .asString()
                    .startsWith("qfuse: requests come from /dev/fuse and not over io_uring: ");
            scratch.shell()
                    .script("head -c 1M mnt/disk.raw | cmp -n 1048576 - /dev/zero")
                    .ok();
            scratch.qfuse().ok("unmount", mountPoint);
            assertThat(scratch.qfuse()
                            .ok("mount", "--quiet", over, image, mountPoint)
                            .err())
                    .isEmpty();
            scratch.qfuse().ok("unmount", mountPoint);
        });
    }
}
