package io.qfuse.fuse.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.fuse.ImageFileSystem;
import io.qfuse.fuse.MemoryDisk;
import io.qfuse.fuse.MountException;
import io.qfuse.fuse.MountTable;
import io.qfuse.fuse.Permissions;
import io.qfuse.fuse.ServedImage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The helper that ordinary users mount with; root can use it as well. */
@Tag("system")
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class FusermountTest {

    private static final String OPTIONS = "max_read=1048576,nosuid,nodev,subtype=qfuse,fsname=a disk\\,two";

    @TempDir
    Path temporary;

    @Test
    void descriptor_comes_through_the_socket_and_serves_the_mount() throws Exception {
        var disk = new MemoryDisk(1 << 20, true);
        byte[] bytes = new byte[1 << 20];
        new Random(1).nextBytes(bytes);
        disk.fill(0, bytes);
        var files = ImageFileSystem.directory(
                List.of(ServedImage.of(disk, Path.of("/x/disk.qcow2"))), new Permissions(0, 0, 0600, 0755));
        Path place = temporary.toRealPath();
        var session = new FuseSession(Fusermount.mount(place, OPTIONS), files, Optional.empty());
        session.start(3);
        try {
            assertThat(Files.readAllBytes(place.resolve("disk.raw"))).isEqualTo(bytes);
            var entry = MountTable.read().at(place).orElseThrow();
            assertThat(entry.isOurs()).isTrue();
            assertThat(entry.source()).isEqualTo("a disk,two");
        } finally {
            Fusermount.unmount(place, false);
        }
        session.awaitEnd();
        assertThat(MountTable.read().at(place)).isEmpty();
    }

    @Test
    void complaint_of_the_helper_is_the_message() {
        Path none = temporary.resolve("none");
        assertThatThrownBy(() -> Fusermount.mount(none, OPTIONS))
                .isInstanceOf(MountException.class)
                .hasMessageStartingWith(none + ": /")
                .hasMessageContaining("fusermount")
                .hasMessageContaining("No such file or directory");
        assertThatThrownBy(() -> Fusermount.unmount(temporary, false)).isInstanceOf(MountException.class);
    }
}
