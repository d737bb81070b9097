package io.qfuse.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.Snapshot;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The directory of an image's snapshots, whatever transport carries it. */
abstract class SnapshotsConformance extends MountFixture {

    private static final Instant TAKEN = Instant.ofEpochSecond(1_000_000_000L, 500_000_000);

    private final MemoryDisk past = new MemoryDisk(MIB, false);

    private Path mountWithSnapshots(String place, String... names) throws Exception {
        past.fill(0, random(MIB, 21));
        List<Snapshot> snapshots = new ArrayList<>();
        for (String name : names) {
            snapshots.add(new Snapshot(String.valueOf(snapshots.size() + 1), name, TAKEN, past));
        }
        Path at = Files.createDirectory(temporary.resolve(place));
        return mount(at, MountOptions.defaults(), image("disk", disk).withSnapshots(snapshots));
    }

    private static List<String> list(Path directory) throws Exception {
        return List.of(Tool.run("ls", "-U", directory).split("\n", -1));
    }

    @Test
    void a_snapshot_is_a_file_of_its_own_size_date_and_bytes_that_cannot_be_written() throws Exception {
        Path at = mountWithSnapshots("one", "before", "käse & 日本");
        Path directory = at.resolve("snapshots");
        assertThat(list(at)).containsExactlyInAnyOrder("disk.raw", "snapshots");
        assertThat(list(directory)).containsExactlyInAnyOrder("1-before.raw", "2-käse & 日本.raw");
        Path file = directory.resolve("1-before.raw");
        assertThat(Files.readAllBytes(file)).isEqualTo(past.content(0, MIB));
        assertThat(Files.getLastModifiedTime(file).toInstant()).isEqualTo(TAKEN);
        assertThat(Tool.run("stat", "-c", "%F %a", file)).isEqualTo("regular file 400");
        assertErrno(Errno.EROFS, () -> Posix.open(file, Posix.O_RDWR));
        assertErrno(Errno.EROFS, () -> Posix.open(file, Posix.O_WRONLY | Posix.O_TRUNC));
        try (Posix other = Posix.open(at.resolve("disk.raw"), Posix.O_RDWR)) {
            other.write(5, random(50, 22));
        }
        assertThat(disk.content(5, 50)).isEqualTo(random(50, 22));
    }

    @Test
    void directories_have_numbers_links_and_parents_as_everywhere() throws Exception {
        Path at = mountWithSnapshots("tree", "a");
        Path directory = at.resolve("snapshots");
        assertThat(Tool.run("stat", "-c", "%F %a %h", at)).isEqualTo("directory 755 3");
        assertThat(Tool.run("stat", "-c", "%F %a %h", directory)).isEqualTo("directory 755 2");
        assertThat(Tool.run("ls", "-ia", directory)
                        .lines()
                        .map(line -> line.strip().split(" ", 2)[1]))
                .containsExactly(".", "..", "1-a.raw");
        for (String name : List.of(".", "..", "1-a.raw")) {
            String listed =
                    Tool.run("sh", "-c", "ls -ia '" + directory + "' | awk '$2 == \"" + name + "\" {print $1}'");
            assertThat(listed).isEqualTo(Tool.run("stat", "-c", "%i", directory.resolve(name)));
        }
        assertThat(Tool.run("find", at, "-type", "d").lines()).hasSize(2);
        assertThat(Files.readAttributes(directory, BasicFileAttributes.class).isDirectory())
                .isTrue();
        assertThat(Files.exists(directory.resolve("none.raw"))).isFalse();
        assertThat(Files.exists(at.resolve("1-a.raw"))).isFalse();
        assertThatThrownBy(() -> Files.createFile(directory.resolve("new"))).isInstanceOf(java.io.IOException.class);
        assertThatThrownBy(() -> Files.delete(directory.resolve("1-a.raw"))).isInstanceOf(java.io.IOException.class);
        Tool.run("sync", directory);
    }

    @Test
    void several_images_have_a_directory_each() throws Exception {
        Path at = Files.createDirectory(temporary.resolve("two"));
        mount(
                at,
                MountOptions.defaults(),
                image("a", disk).withSnapshots(List.of(new Snapshot("1", "x", TAKEN, past))),
                image("b", disk).withSnapshots(List.of()));
        assertThat(list(at)).containsExactlyInAnyOrder("a.raw", "a.snapshots", "b.raw", "b.snapshots");
        assertThat(list(at.resolve("a.snapshots"))).containsExactly("1-x.raw");
        assertThat(at.resolve("b.snapshots")).isEmptyDirectory();
        assertThat(Tool.run("stat", "-f", "-c", "%b", at)).isEqualTo(String.valueOf(2 * SIZE / Statistics.BLOCK));
    }

    @Test
    void a_regular_file_has_no_room_for_snapshots() throws Exception {
        Path file = Files.createFile(temporary.resolve("file"));
        assertThatThrownBy(() ->
                        mount(file, MountOptions.defaults(), image("disk", disk).withSnapshots(List.of())))
                .isInstanceOf(MountException.class)
                .hasMessageContaining("no room for snapshots");
    }

    @Test
    void thousands_of_snapshots_are_listed_each_once() throws Exception {
        String[] names = new String[20_000];
        java.util.Arrays.setAll(names, i -> "nightly");
        Path directory = mountWithSnapshots("many", names).resolve("snapshots");
        List<String> listed = list(directory);
        assertThat(listed).hasSize(names.length).doesNotHaveDuplicates().contains("20000-nightly.raw");
        assertThat(Files.size(directory.resolve("12345-nightly.raw"))).isEqualTo(MIB);
    }
}
