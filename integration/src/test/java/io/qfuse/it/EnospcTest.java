package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ErrnoException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** An image whose host file system is full. */
@Tag("system")
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EnospcTest {

    private static final int MIB = 1 << 20;

    @RegisterExtension
    final Scratch scratch = new Scratch();

    @ParameterizedTest
    @CsvSource({"tmpfs,65536,false", "tmpfs,4096,true", "ext4,65536,true", "ext4,65536,false"})
    void the_writer_is_told_and_goes_on_when_there_is_room(String hostKind, int clusterSize, boolean direct)
            throws Exception {
        Path small = mountSmall(hostKind);
        Path ballast = Files.write(small.resolve("ballast"), random(6 * MIB, 1));
        Path image = small.resolve("disk.qcow2");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "-o", "cluster_size=" + clusterSize, image, "64M");
        Path mountPoint = scratch.directory("mnt");
        Path raw = mountPoint.resolve("disk.raw");
        scratch.qfuse().ok("mount", image, mountPoint);
        byte[] synced = random(3 * MIB, 2);
        byte[] later = random(2 * MIB, 3);
        try (RawFile file = direct ? RawFile.direct(raw) : RawFile.buffered(raw)) {
            file.write(0, synced);
            file.sync();
            assertErrno(Errno.ENOSPC, () -> fill(file, 8 * MIB));
            assertErrno(Errno.ENOSPC, () -> fill(file, 8 * MIB));
            assertThat(file.read(0, synced.length)).isEqualTo(synced);
            // What has its place already can still be written.
            file.write(MIB, later);
            System.arraycopy(later, 0, synced, MIB, later.length);
            assertThat(file.read(0, synced.length)).isEqualTo(synced);

            Files.delete(ballast);
            file.write(56 * MIB, later);
            file.sync();
            assertThat(file.read(56 * MIB, later.length)).isEqualTo(later);
        }
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.qemuImg().checkLeaksAtWorst(image);
        assertHolds(image, synced, later);
    }

    @ParameterizedTest
    @CsvSource({"tmpfs,65536", "tmpfs,512", "ext4,65536"})
    void what_was_synced_outlives_a_server_killed_on_a_full_host(String hostKind, int clusterSize) throws Exception {
        Path small = mountSmall(hostKind);
        Path image = small.resolve("disk.qcow2");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "-o", "cluster_size=" + clusterSize, image, "64M");
        Path mountPoint = scratch.directory("mnt");
        Path pid = scratch.path("pid");
        scratch.qfuse().ok("mount", "--pid-file=" + pid, image, mountPoint);
        byte[] synced = random(3 * MIB, 2);
        try (RawFile file = RawFile.direct(mountPoint.resolve("disk.raw"))) {
            file.write(0, synced);
            file.write(56 * MIB, synced);
            file.sync();
            assertErrno(Errno.ENOSPC, () -> fill(file, 8 * MIB));
        }
        scratch.kill("pid");
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.qemuImg().checkLeaksAtWorst(image);
        assertHolds(image, synced, synced);
    }

    @Test
    void an_unmount_that_has_no_room_for_what_was_written_is_refused_until_there_is_some() throws Exception {
        // A host that has promised more than it has: the image lies in the disk of another image.
        Path outer = mountSmall("tmpfs").resolve("outer.qcow2");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", outer, "64M");
        Path thin = scratch.directory("thin");
        Path image = thin.resolve("outer.raw");
        scratch.qfuse().ok("mount", outer, thin);
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", "inner", "64M");
        scratch.shell()
                .run("dd", "if=inner", "of=" + image, "conv=notrunc,fsync", "status=none")
                .ok();
        Path mountPoint = scratch.directory("mnt");
        scratch.qfuse().ok("mount", image, mountPoint);
        byte[] written = random(4096, 5);
        try (RawFile file = RawFile.direct(mountPoint.resolve("outer.raw.raw"))) {
            for (int at = 0; at < 64 * MIB; at += 2 * MIB) {
                file.write(at, written); // with a table of its own, which is in memory only
            }
        }
        scratch.shell().script("cat /dev/zero > small/ballast || true");
        for (int i = 0; i < 2; i++) {
            assertThat(scratch.qfuse().run("unmount", mountPoint).ended(1).err())
                    .startsWith("qfuse: " + mountPoint + ": not unmounted: ")
                    .contains("no room")
                    .hasLineCount(1);
        }
        Files.delete(scratch.path("small/ballast"));
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.qemuImg().check(image);
        assertHolds(image, written, written);
    }

    /** A host file system of 16 MiB. */
    private Path mountSmall(String kind) throws Exception {
        Path small = scratch.directory("small");
        if (kind.equals("tmpfs")) {
            scratch.shell().script("mount -t tmpfs -o size=16M small small").ok();
        } else {
            scratch.shell()
                    .script("truncate -s 17M small.img; mkfs.ext4 -q -m 0 -O ^has_journal small.img;"
                            + " mount -o loop small.img small")
                    .ok();
        }
        return small;
    }

    private static void fill(RawFile file, int from) throws ErrnoException {
        byte[] bytes = random(MIB / 2, 4);
        for (int at = from; at < 48 * MIB; at += bytes.length) {
            int done = 0;
            while (done < bytes.length) {
                done += file.write(at + done, Arrays.copyOfRange(bytes, done, bytes.length));
            }
        }
    }

    /** The first bytes, and those at 56 MiB. */
    private void assertHolds(Path image, byte[] first, byte[] behind) throws Exception {
        Path copy = scratch.path("copy.raw");
        scratch.qemuImg().ok("convert", "-f", "qcow2", "-O", "raw", image, copy);
        try (RawFile file = RawFile.buffered(copy)) {
            assertThat(file.read(0, first.length)).isEqualTo(first);
            assertThat(file.read(56 * MIB, behind.length)).isEqualTo(behind);
        }
    }

    private static byte[] random(int length, long seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private static void assertErrno(int errno, ThrowingCallable call) {
        assertThatExceptionOfType(ErrnoException.class)
                .isThrownBy(call)
                .satisfies(e -> assertThat(e.errno()).isEqualTo(errno));
    }
}
