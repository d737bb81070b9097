package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.fuse.Errno;
import io.qfuse.it.FailingDisk.Verb;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * A host whose calls fail, seen by the users of a mounted disk.
 */
@Tag("system")
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HostErrorTest {

    private static final String EIO = "Input/output error";
    private static final long KIB = 1 << 10;

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path inner = Path.of("");
    private Path mountPoint = Path.of("");
    /** Where in the image the first byte of the disk is. */
    private long data;

    @BeforeEach
    void make_an_image() throws IOException {
        inner = scratch.path("inner.qcow2");
        mountPoint = scratch.directory("mnt");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", inner, "16M");
        scratch.qemuIo().on(inner, "write -P 0x11 0 1M");
        Matcher first = Pattern.compile("\"start\": 0,.*?\"offset\": (\\d+)")
                .matcher(scratch.qemuImg().ok("map", "--output=json", inner).out());
        assertThat(first.find()).isTrue();
        data = Long.parseLong(first.group(1));
    }

    @Test
    void a_place_that_cannot_be_read_is_an_error_for_its_reader_and_for_nobody_else() throws IOException {
        try (FailingHost host = FailingHost.serve(scratch, inner)) {
            scratch.qfuse().ok("mount", host.file(), mountPoint);
            long bad = data + 512 * KIB;
            host.disk().fail(Errno.EIO, call -> call.verb() == Verb.READ && call.touches(bad, 4096));
            for (int i = 0; i < 2; i++) {
                refused("read 512k 4k");
                refused("read 448k 128k");
                use("read -P 0x11 0 512k", "read -P 0x11 516k 508k", "read -P 0 2M 64k");
            }
            host.disk().heal();
            use("read -P 0x11 0 1M");
            scratch.qfuse().ok("unmount", mountPoint);
            scratch.qemuImg().check(host.file());
        }
    }

    @Test
    void a_write_that_the_host_fails_is_an_error_for_its_writer_and_harms_nothing_else() throws IOException {
        try (FailingHost host = FailingHost.serve(scratch, inner)) {
            scratch.qfuse().ok("mount", host.file(), mountPoint);
            for (long half : new long[] {0, data}) { // all of the file, or what is no table
                host.disk().fail(Errno.EIO, call -> call.verb() == Verb.WRITE && call.offset() >= half);
                refused("write -P 0x22 2M 64k");
                refused("write -P 0x22 4000 100");
                refused("write -P 0x22 960k 200k");
                use("read -P 0x11 8k 952k", "read -P 0 3M 1M");
            }
            host.disk().heal();
            use("write -P 0x33 2M 64k", "write -P 0x33 0 8k", "write -P 0x33 960k 200k");
            scratch.qfuse().ok("unmount", mountPoint);
            scratch.qemuImg().check(host.file());
            scratch.qemuIo()
                    .on(
                            host.file(),
                            "read -P 0x33 0 8k",
                            "read -P 0x11 8k 952k",
                            "read -P 0x33 960k 200k",
                            "read -P 0x33 2M 64k",
                            "read -P 0 3M 1M");
        }
    }

    @Test
    void an_fsync_that_the_host_fails_fails_for_ever_and_what_was_synced_before_is_there() throws IOException {
        try (FailingHost host = FailingHost.serve(scratch, inner)) {
            scratch.qfuse().ok("mount", host.file(), mountPoint);
            use("write -P 0x22 2M 64k");
            scratch.shell().run("sync", "mnt/disk.raw").ok();
            host.disk().fail(Errno.EIO, call -> call.verb() == Verb.FLUSH);
            String dd = "dd if=/dev/zero of=mnt/disk.raw bs=64k count=1 conv=notrunc,fsync status=none seek=";
            assertThat(scratch.shell().script(dd + 33).ended(1).err()).contains("fsync", EIO);
            host.disk().heal();
            for (int i = 0; i < 2; i++) {
                assertThat(scratch.shell().run("sync", "mnt/disk.raw").ended(1).err())
                        .contains(EIO);
                assertThat(scratch.shell().script(dd + 34).ended(1).err()).contains("Read-only file system");
                List<Object> readOnly = List.of("-n", "-r", "-f", "raw", "mnt/disk.raw");
                scratch.qemuIo().opened(readOnly, "read -P 0x11 0 1M", "read -P 0x22 2M 64k");
            }
            assertThat(scratch.qfuse().run("unmount", mountPoint).ended(1).err())
                    .contains(host.file().toString(), "a flush failed")
                    .hasLineCount(1);
            scratch.qemuImg().checkLeaksAtWorst(host.file());
            scratch.qemuIo().on(host.file(), "read -P 0x11 0 1M", "read -P 0x22 2M 64k");
        }
    }

    @Test
    void a_host_that_knows_neither_holes_nor_preallocation_is_used_all_the_same() throws IOException {
        try (FailingHost host = FailingHost.serve(scratch, inner)) {
            Set<Verb> unknown = EnumSet.of(Verb.ZERO, Verb.ALLOCATE, Verb.SEEK);
            host.disk().fail(Errno.EOPNOTSUPP, call -> unknown.contains(call.verb()));
            scratch.qfuse().ok("mount", host.file(), mountPoint);
            use("write -P 0x22 2M 1M", "write -z 100k 100k", "write -P 0x33 5M 3000");
            scratch.shell()
                    .script("fallocate -p -o 0 -l 65536 mnt/disk.raw; fallocate -p -o 2M -l 100k mnt/disk.raw;"
                            + " fallocate -z -o 2500k -l 100k mnt/disk.raw; fallocate -o 8M -l 1M mnt/disk.raw;"
                            + " sync mnt/disk.raw")
                    .ok();
            use("write -P 0x44 8M 64k", "write -P 0x44 4M 64k");
            scratch.qfuse().ok("unmount", mountPoint);
            host.disk().heal();
            scratch.qemuImg().check(host.file());
            scratch.qemuIo()
                    .on(
                            host.file(),
                            "read -P 0 0 64k",
                            "read -P 0x11 64k 36k",
                            "read -P 0 100k 100k",
                            "read -P 0x11 200k 824k",
                            "read -P 0 2M 100k",
                            "read -P 0x22 2148k 352k",
                            "read -P 0 2500k 100k",
                            "read -P 0x22 2600k 472k",
                            "read -P 0x44 4M 64k",
                            "read -P 0x33 5M 3000",
                            "read -P 0x44 8M 64k",
                            "read -P 0 8256k 900k");
        }
    }

    /** Commands of qemu-io on the mounted disk, past the page cache, which have to succeed. */
    private void use(String... commands) {
        scratch.qemuIo().opened(List.of("-n", "-f", "raw", "mnt/disk.raw"), commands);
    }

    /** One that has to fail with EIO. */
    private void refused(String command) {
        Result result = scratch.shell().run("qemu-io", "-n", "-f", "raw", "-c", command, "mnt/disk.raw");
        assertThat(result.out() + result.err()).as(command).contains("failed: " + EIO);
    }
}
