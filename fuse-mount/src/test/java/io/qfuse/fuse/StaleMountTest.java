package io.qfuse.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.fuse.kernel.KernelMount;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Mounts whose server was killed: what is left when its descriptor is closed unserved. */
@Tag("system")
final class StaleMountTest {

    @TempDir
    Path temporary;

    private Path place = Path.of("");

    @BeforeEach
    void leave_two_stale_mounts_on_each_other() throws Exception {
        place = Files.createDirectory(temporary.toRealPath().resolve("stale"));
        leaveStale();
        assertThatThrownBy(() -> Files.list(place).close()).hasMessageContaining("not connected");
    }

    private void leaveStale() throws IOException {
        int device = KernelMount.mount(place, "gone", MountOptions.defaults(), true, 4096);
        KernelMount.closeDevice(device);
    }

    @AfterEach
    void nothing_is_left() throws IOException {
        MountPoint.heal(place);
        assertThat(MountPoint.ours(place)).isEmpty();
    }

    @Test
    void next_mount_heals() throws Exception {
        var disk = ServedImage.of(new MemoryDisk(4096, true), temporary.resolve("disk.qcow2"));
        try (var mount = Mount.serve(List.of(disk), place, MountOptions.defaults(), Transport.KERNEL)) {
            assertThat(Files.size(mount.rawFile(disk))).isEqualTo(4096);
        }
        assertThat(Files.isDirectory(place)).isTrue();
    }

    @Test
    void unmount_heals() throws Exception {
        assertThat(Mount.unmount(place).source()).isEqualTo("gone");
        assertThat(Files.isDirectory(place)).isTrue();
    }

    @Test
    void stale_mounts_on_each_other_are_all_healed() throws Exception {
        var disk = ServedImage.of(new MemoryDisk(4096, true), temporary.resolve("disk.qcow2"));
        Mount.unmount(place);
        Mount.serve(List.of(disk), place, MountOptions.defaults(), Transport.KERNEL)
                .close();
        assertThat(MountPoint.ours(place)).isEmpty();
    }
}
