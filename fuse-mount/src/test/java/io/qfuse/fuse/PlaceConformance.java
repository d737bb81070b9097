package io.qfuse.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;

/** Where disks are mounted, what is to be found there, and how that ends, whatever transport carries it. */
abstract class PlaceConformance extends MountFixture {

    @Test
    void directory_shows_the_image_under_its_raw_name() throws Exception {
        try (var names = Files.list(place)) {
            assertThat(names).containsExactly(raw);
        }
        assertThat(Files.size(raw)).isEqualTo(SIZE);
        assertThat(Tool.run("stat", "-c", "%F %a %u", raw)).isEqualTo("regular file 600 0");
        assertThat(Files.exists(place.resolve("other.raw"))).isFalse();
        assertThat(MountTable.read().at(place.toRealPath()).orElseThrow().isOurs())
                .isTrue();
    }

    @Test
    void names_cannot_be_made_or_removed() {
        assertThatThrownBy(() -> Files.createFile(place.resolve("new"))).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> Files.delete(raw)).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> Files.move(raw, place.resolve("new"))).isInstanceOf(IOException.class);
    }

    @Test
    void image_mounted_over_its_own_directory_is_not_asked_about_itself() throws Exception {
        Path own = Files.createDirectory(temporary.resolve("own"));
        Path image = Files.createFile(own.resolve("own.raw"));
        mount(own, MountOptions.defaults(), new ServedImage("own.raw", disk, image));
        assertThat(Files.size(image)).isEqualTo(SIZE);
        assertThat(Tool.run("stat", "-f", "-c", "%s", own)).isEqualTo("4096");
    }

    @Test
    void several_images_share_a_directory() throws Exception {
        var small = new MemoryDisk(MIB, true);
        small.fill(0, random(MIB, 9));
        Path both = Files.createDirectory(temporary.resolve("both"));
        mount(both, MountOptions.defaults(), image("a", small), image("b", disk));
        assertThat(Files.readAllBytes(both.resolve("a.raw"))).isEqualTo(small.content(0, MIB));
        assertThat(Files.size(both.resolve("b.raw"))).isEqualTo(SIZE);
        try (var names = Files.list(both)) {
            assertThat(names).hasSize(2);
        }
    }

    @Test
    void regular_file_is_mounted_over() throws Exception {
        Path file = Files.writeString(temporary.resolve("plain"), "below");
        var small = new MemoryDisk(MIB, true);
        small.fill(0, random(MIB, 10));
        mount(file, MountOptions.defaults(), image("small", small));
        assertThat(Files.readAllBytes(file)).isEqualTo(small.content(0, MIB));
        try (Posix open = Posix.open(file, Posix.O_RDWR)) {
            open.write(5, random(50, 11));
            open.sync();
        }
        assertThat(small.content(5, 50)).isEqualTo(random(50, 11));
        mounts.get(1).close();
        assertThat(Files.readString(file)).isEqualTo("below");
    }

    @Test
    void read_only_disk_refuses_to_be_written() throws Exception {
        var fixed = new MemoryDisk(MIB, false);
        Path at = Files.createDirectory(temporary.resolve("fixed"));
        Path file = mount(at, MountOptions.defaults(), image("fixed", fixed)).resolve("fixed.raw");
        assertErrno(Errno.EROFS, () -> Posix.open(file, Posix.O_RDWR));
        assertThat(Files.readAllBytes(file)).hasSize(MIB);
        assertThat(Tool.run("stat", "-c", "%a", file)).isEqualTo("400");
    }

    @Test
    void read_only_mount_refuses_to_be_written() throws Exception {
        Path at = Files.createDirectory(temporary.resolve("ro"));
        Path file = mount(at, MountOptions.defaults().withReadOnly(true), image("ro", disk))
                .resolve("ro.raw");
        assertErrno(Errno.EROFS, () -> Posix.open(file, Posix.O_WRONLY));
        assertErrno(Errno.EROFS, () -> Posix.chmod(file, 0666));
    }

    @Test
    void owner_and_umask_are_those_of_the_options() throws Exception {
        Path at = Files.createDirectory(temporary.resolve("owned"));
        MountOptions options = MountOptions.defaults().withWords("uid=12,gid=34,umask=027,fsname=a\\,b");
        Path file = mount(at, options, image("x", disk)).resolve("x.raw");
        assertThat(Tool.run("stat", "-c", "%a %u %g", file)).isEqualTo("640 12 34");
        assertThat(Tool.run("stat", "-c", "%a", at)).isEqualTo("750");
        assertThat(MountTable.read().at(at.toRealPath()).orElseThrow().source()).isEqualTo("a,b");
    }

    @Test
    void a_mount_with_a_subtype_of_the_users_is_still_ours() throws Exception {
        Path at = Files.createDirectory(temporary.resolve("typed"));
        mount(at, MountOptions.defaults().withWords("subtype=lab"), image("x", disk));
        assertThat(MountTable.read().at(at.toRealPath()).orElseThrow().type()).isEqualTo("fuse.qfuse.lab");
        Mount.unmount(at);
        assertThat(at).isEmptyDirectory();
    }

    @Test
    void taken_and_impossible_mount_points_are_refused() throws Exception {
        assertThatThrownBy(() -> mount(place, MountOptions.defaults(), image("y", disk)))
                .isInstanceOf(MountException.class)
                .hasMessageContaining("is in use");
        assertThatThrownBy(() -> mount(temporary.resolve("none"), MountOptions.defaults(), image("y", disk)))
                .isInstanceOf(MountException.class)
                .hasMessageContaining("no such file");
        assertThatThrownBy(() -> mount(Path.of("/dev/null"), MountOptions.defaults(), image("y", disk)))
                .isInstanceOf(MountException.class)
                .hasMessageContaining("neither");
    }

    @Test
    void unmount_of_a_used_mount_fails_and_changes_nothing() throws Exception {
        try (Posix file = Posix.open(raw, Posix.O_RDWR)) {
            assertThatThrownBy(() -> Mount.unmount(place)).hasMessageContaining("in use");
            assertThat(file.read(0, 10)).isEqualTo(disk.content(0, 10));
        }
        int before = disk.flushes.get();
        Mount.unmount(place);
        mounts.get(0).awaitUnmount();
        mounts.get(0).close();
        assertThat(disk.flushes.get()).isEqualTo(before + 1);
        assertThatThrownBy(() -> Mount.unmount(place)).hasMessageContaining("no image is mounted");
    }

    @Test
    void close_keeps_what_mapped_memory_holds_and_cuts_off_who_still_uses_the_mount() throws Exception {
        byte[] bytes = random(5000, 12);
        var channel = FileChannel.open(raw, StandardOpenOption.READ, StandardOpenOption.WRITE);
        var map = channel.map(FileChannel.MapMode.READ_WRITE, 0, SIZE);
        map.put(4 * MIB, bytes);
        mounts.get(0).close();
        assertThat(disk.content(4 * MIB, bytes.length)).isEqualTo(bytes);
        assertThatThrownBy(() -> channel.read(ByteBuffer.allocate(10), 10 * MIB))
                .isInstanceOf(IOException.class);
        closeOfWhatWasCutOff(channel);
        assertThat(Files.exists(raw)).isFalse();
    }

    /** Whether such a close fails depends on whether the transport asked to be told of closes. */
    private static void closeOfWhatWasCutOff(FileChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            assertThat(e).hasMessageContaining("not connected");
        }
    }
}
