package io.qfuse.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A mounted disk, over whatever transport; nothing of ours is mounted after the test. Needs root and /dev/fuse. */
@Tag("system")
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
abstract class MountFixture {

    static final int MIB = 1 << 20;
    static final int SIZE = 16 * MIB;
    static final int CLUSTER = MemoryDisk.CLUSTER;
    static final int KEEP_SIZE = 1;
    static final int PUNCH_HOLE = 2;
    static final int ZERO_RANGE = 16;
    static final int SEEK_DATA = 3;
    static final int SEEK_HOLE = 4;

    @TempDir
    Path temporary;

    Path place = Path.of("");
    Path raw = Path.of("");
    MemoryDisk disk = new MemoryDisk(SIZE, true);
    final List<Mount> mounts = new ArrayList<>();

    /** The transport under test. */
    abstract Transport transport();

    private Optional<IoUringSwitch> hostSwitch = Optional.empty();

    @BeforeEach
    void mount_one_disk() throws IOException {
        if (transport() == Transport.IO_URING) {
            hostSwitch = Optional.of(IoUringSwitch.enabled(true));
        }
        place = Files.createDirectory(temporary.resolve("mount point"));
        disk.fill(0, random(3 * MIB, 1));
        raw = mount(place, MountOptions.defaults(), image("disk", disk)).resolve("disk.raw");
    }

    @AfterEach
    void unmount_everything() throws IOException {
        for (Mount mount : mounts) {
            mount.close();
        }
        hostSwitch.ifPresent(IoUringSwitch::close);
        assertThat(MountTable.read().ours())
                .noneMatch(entry -> entry.mountPoint().startsWith(temporary));
    }

    Path mount(Path at, MountOptions options, ServedImage... images) throws IOException {
        Mount mount = Mount.serve(List.of(images), at, options, transport());
        mounts.add(mount);
        assertThat(mount.hints())
                .as("over the transport that is asked for")
                .noneMatch(hint -> hint.contains("io_uring"));
        return at;
    }

    ServedImage image(String name, MemoryDisk of) {
        return ServedImage.of(of, temporary.resolve(name + ".qcow2"));
    }

    static byte[] random(int length, long seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    static void assertErrno(int errno, ThrowingCallable call) {
        assertThatExceptionOfType(ErrnoException.class)
                .isThrownBy(call)
                .satisfies(e -> assertThat(e.errno()).as(e.getMessage()).isEqualTo(errno));
    }

    long blocks() throws Exception {
        return Long.parseLong(Tool.run("stat", "-c", "%b", raw));
    }
}
