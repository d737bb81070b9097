package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A mounted disk under the loop driver, with partitions and file systems on it. */
@Tag("system")
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LoopDeviceTest {

    /** Both partitions have room for the smallest xfs. */
    private static final String SIZE = "900M";

    private static final String PARTITIONS = "label: gpt\\nsize=320MiB\\nsize=512MiB\\n";

    @RegisterExtension
    final Scratch scratch = new Scratch();

    private Path image = Path.of("");

    @BeforeEach
    void make_places() throws IOException {
        image = scratch.path("disk.qcow2");
        scratch.directory("mnt");
        scratch.directory("ext4");
        scratch.directory("xfs");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "compat=1.1,cluster_size=64k",
                "compat=0.10,cluster_size=4k",
                "compat=1.1,cluster_size=64k,extended_l2=on"
            })
    void file_systems_on_partitions_are_made_filled_checked_and_read_again(String options) throws Exception {
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "-o", options, image, SIZE);
        String loop = attach();
        partition(loop);
        scratch.shell()
                .script("mount " + loop + "p1 ext4; mount " + loop + "p2 xfs")
                .ok();
        scratch.shell()
                .script("for fs in ext4 xfs; do mkdir $fs/sub; head -c 12M /dev/urandom > $fs/sub/random;"
                        + " head -c 5000001 /dev/zero | tr '\\0' x > $fs/sub/text; cp -r /etc/default $fs/;"
                        + " rm $fs/sub/text; seq 300000 > $fs/numbers; done;"
                        + " cp xfs/sub/random ext4/; cp ext4/numbers xfs/other")
                .ok();
        String sums = sums();
        scratch.shell().script("umount ext4 xfs").ok();
        checkFileSystems(loop);
        detach(loop);
        scratch.qemuImg().check(image);

        String again = attach("--read-only");
        showPartitions(again);
        checkFileSystems(again);
        scratch.shell()
                .script("mount -o ro,noload " + again + "p1 ext4; mount -o ro,norecovery " + again + "p2 xfs")
                .ok();
        assertThat(sums()).isEqualTo(sums);
        scratch.shell().script("umount ext4 xfs").ok();
        detach(again);
    }

    @Test
    void trimming_gives_the_space_back() throws Exception {
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", image, SIZE);
        String loop = attach();
        partition(loop);
        long before = allocated();
        scratch.shell()
                .script("mount " + loop + "p1 ext4; mount " + loop + "p2 xfs")
                .ok();
        scratch.shell()
                .script("for fs in ext4 xfs; do head -c 40M /dev/urandom > $fs/big; sync -f $fs; done")
                .ok();
        long filled = allocated();
        assertThat(filled - before).isGreaterThan(75L << 20);
        scratch.shell()
                .script("for fs in ext4 xfs; do rm $fs/big; sync -f $fs; fstrim $fs; done")
                .ok();
        scratch.shell().script("umount ext4 xfs").ok();
        checkFileSystems(loop);
        detach(loop);
        assertThat(allocated()).isLessThan(filled - (70L << 20));
        scratch.qemuImg().check(image);
    }

    @Test
    void discarding_a_whole_device_leaves_zeroes_and_an_empty_image() throws Exception {
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", image, "64M");
        String loop = attach();
        scratch.shell()
                .script("head -c 64M /dev/urandom > " + loop + "; blkdiscard " + loop + "; cmp -n 67108864 " + loop
                        + " /dev/zero; blkdiscard --zeroout --offset 4096 --length 1048576 " + loop
                        + "; cmp -n 67108864 "
                        + loop + " /dev/zero")
                .ok();
        detach(loop);
        assertThat(allocated()).isLessThan(4L << 20);
        scratch.qemuImg().check(image);
    }

    /** Mounts the image and attaches a loop device with its partitions. */
    private String attach(String... options) {
        Stream<Object> words = Stream.of(Stream.of("mount"), Stream.of(options), Stream.of(image, scratch.path("mnt")))
                .flatMap(part -> part);
        scratch.qfuse().ok(words.toArray());
        return scratch.shell()
                .run("losetup", "-fP", "--show", scratch.path("mnt").resolve("disk.raw"))
                .ok()
                .out()
                .strip();
    }

    private void detach(String loop) throws Exception {
        scratch.shell().run("losetup", "-d", loop).ok();
        Await.until("the loop device is gone", () -> scratch.loopDevices().isEmpty());
        scratch.qfuse().ok("unmount", scratch.path("mnt"));
    }

    private void partition(String loop) throws Exception {
        scratch.shell()
                .script("printf '" + PARTITIONS + "' | sfdisk -q " + loop)
                .ok();
        showPartitions(loop);
        scratch.shell()
                .script("mkfs.ext4 -q " + loop + "p1; mkfs.xfs -q " + loop + "p2")
                .ok();
    }

    /** What udev, or a kernel that reads partition tables, has done already in most places. */
    private void showPartitions(String loop) throws Exception {
        scratch.shell().run("partx", "--update", loop).ok();
        Await.until("the partitions are there", () -> Files.exists(Path.of(loop + "p2")));
    }

    private void checkFileSystems(String loop) {
        scratch.shell().run("fsck.ext4", "-fn", loop + "p1").ok();
        scratch.shell().run("xfs_repair", "-n", loop + "p2").ok();
    }

    private String sums() {
        return scratch.shell()
                .script("find ext4 xfs -type f | sort | xargs sha256sum")
                .ok()
                .out();
    }

    /** Bytes that the image takes on the host. */
    private long allocated() {
        return 512
                * Long.parseLong(scratch.shell()
                        .run("stat", "-c", "%b", image)
                        .ok()
                        .out()
                        .strip());
    }
}
