package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("system")
class SnapshotsDirectoryTest {

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path image = Path.of("");
    private Path mountPoint = Path.of("");

    @BeforeEach
    void make_an_image_with_two_snapshots() throws IOException {
        image = scratch.path("disk.qcow2");
        mountPoint = scratch.directory("mnt");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", image, "16M");
        scratch.qemuIo().on(image, "write -P 0x11 1M 3M");
        scratch.qemuImg().ok("snapshot", "-c", "first/of two", image);
        scratch.qemuIo().on(image, "write -P 0x22 2M 4M");
        scratch.qemuImg().ok("snapshot", "-c", "second", image);
        for (int id = 1; id <= 2; id++) {
            scratch.qemuImg().ok("convert", "-O", "raw", "-l", "snapshot.id=" + id, image, id + ".raw");
        }
    }

    @Test
    void snapshots_stay_what_they_were_while_the_disk_beside_them_is_written_through_the_mount() throws IOException {
        scratch.qfuse().ok("mount", "--snapshots", image, mountPoint);
        assertSnapshots();
        scratch.shell()
                .script("fio --name=w --filename=mnt/disk.raw --filesize=16M --rw=randwrite --bsrange=512-64k"
                        + " --ioengine=psync --fsync=20 --size=4M --randseed=1 --minimal >/dev/null;"
                        + " fallocate -p -o 1M -l 1500001 mnt/disk.raw; fallocate -z -o 5M -l 700000 mnt/disk.raw;"
                        + " truncate -s 24M mnt/disk.raw; truncate -s 3M mnt/disk.raw; sync mnt/disk.raw;"
                        + " echo 3 > /proc/sys/vm/drop_caches || true")
                .ok();
        assertSnapshots();
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.qemuImg().check(image);
        scratch.qfuse().ok("mount", "--read-only", "--snapshots", image, mountPoint);
        assertSnapshots();
        scratch.qfuse().ok("unmount", mountPoint);
    }

    private void assertSnapshots() {
        scratch.shell()
                .script("cmp 1.raw 'mnt/snapshots/1-first_of two.raw'; cmp 2.raw mnt/snapshots/2-second.raw;"
                        + " test $(ls mnt/snapshots | wc -l) = 2")
                .ok();
    }

    @Test
    void over_a_regular_file_there_is_no_room_for_them() throws IOException {
        Path file = Files.createFile(scratch.path("file"));
        Result result = scratch.qfuse().run("mount", "--snapshots", image, file).ended(1);
        assertThat(result.err())
                .contains(file.toString(), "no room for snapshots")
                .hasLineCount(1);
        assertThat(scratch.mounts()).isEmpty();
    }

    @Test
    void one_snapshot_or_all_but_not_both() {
        Result result = scratch.qfuse()
                .run("mount", "--read-only", "--snapshot", "1", "--snapshots", image, mountPoint)
                .ended(2);
        assertThat(result.err()).contains("--snapshots");
    }

    @Test
    void a_snapshot_table_that_makes_no_sense_fails_the_mount_that_shows_it_and_not_one_that_reads_the_disk()
            throws IOException {
        long table = number(64);
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.wrap(new byte[] {0x7f}), table + 36);
        }
        Result result = scratch.qfuse()
                .run("mount", "--read-only", "--snapshots", image, mountPoint)
                .ended(1);
        assertThat(result.err())
                .contains(image.toString(), "extra data size of entry ")
                .hasLineCount(1);
        assertThat(scratch.mounts()).isEmpty();
        scratch.qfuse().ok("mount", "--read-only", image, mountPoint);
        scratch.qfuse().ok("unmount", mountPoint);
    }

    @Test
    void a_damaged_snapshot_is_listed_and_fails_on_open() throws IOException {
        long table = number(64);
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.wrap(new byte[] {0x40}), table + 2);
        }
        scratch.qfuse().ok("mount", "--snapshots", image, mountPoint);
        Result result = scratch.shell().run("cat", "mnt/snapshots/1-first_of two.raw");
        assertThat(result.err()).contains("Input/output error");
        scratch.shell()
                .script("cmp 2.raw mnt/snapshots/2-second.raw; echo x | dd of=mnt/disk.raw conv=notrunc,fsync")
                .ok();
        scratch.qfuse().ok("unmount", mountPoint);
    }

    private long number(int at) throws IOException {
        ByteBuffer value = ByteBuffer.allocate(8);
        try (FileChannel file = FileChannel.open(image)) {
            file.read(value, at);
        }
        return value.getLong(0);
    }
}
