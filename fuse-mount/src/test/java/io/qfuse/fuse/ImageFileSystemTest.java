package io.qfuse.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

final class ImageFileSystemTest {

    private static final long ROOT = ImageFileSystem.ROOT;
    private static final Permissions PERMISSIONS = new Permissions(3, 4, 0640, 0751);
    private static final int SIZE = 100 * 512;

    private final MemoryDisk disk = new MemoryDisk(SIZE, true);
    private final MemoryDisk fixed = new MemoryDisk(4096, false);
    private final ImageFileSystem files =
            ImageFileSystem.directory(List.of(image("a.qcow2", disk), image("b", fixed)), PERMISSIONS);

    private static ServedImage image(String file, MemoryDisk disk) {
        return ServedImage.of(disk, Path.of("/nowhere", file));
    }

    private static void assertErrno(int errno, ThrowingCallable call) {
        assertThatExceptionOfType(ErrnoException.class)
                .isThrownBy(call)
                .satisfies(e -> assertThat(e.errno()).isEqualTo(errno));
    }

    @Test
    void names_drop_the_image_suffix() throws Exception {
        assertThat(files.names(ROOT)).containsExactly("a.raw", "b.raw");
        assertThat(ServedImage.of(disk, Path.of("x.qcow2.img")).name()).isEqualTo("x.qcow2.img.raw");
        assertThat(ServedImage.of(disk, Path.of(".qcow2")).name()).isEqualTo(".qcow2.raw");
    }

    @Test
    void two_images_of_one_name_are_refused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() ->
                        ImageFileSystem.directory(List.of(image("a.qcow2", disk), image("a", fixed)), PERMISSIONS))
                .withMessageContaining("a.raw");
    }

    @Test
    void lookup_gives_the_nodes() throws Exception {
        long node = files.lookup(ROOT, "a.raw");
        assertThat(files.attributes(node).size()).isEqualTo(SIZE);
        assertErrno(Errno.ENOENT, () -> files.lookup(ROOT, "c.raw"));
        assertErrno(Errno.ENOTDIR, () -> files.lookup(node, "a.raw"));
        assertErrno(Errno.ENOENT, () -> files.attributes(99));
    }

    @Test
    void attributes_tell_type_owner_and_permissions() throws Exception {
        NodeAttributes root = files.attributes(ROOT);
        assertThat(root.mode()).isEqualTo(0040751);
        assertThat(root.isDirectory()).isTrue();
        NodeAttributes file = files.attributes(files.lookup(ROOT, "b.raw"));
        assertThat(file.mode()).isEqualTo(0100440);
        assertThat(file.isDirectory()).isFalse();
        assertThat(file.uid()).isEqualTo(3);
        assertThat(file.gid()).isEqualTo(4);
    }

    @Test
    void disk_mounted_over_a_file_is_the_root() throws Exception {
        var over = ImageFileSystem.file(image("a.qcow2", disk), PERMISSIONS);
        assertThat(over.attributes(ROOT).size()).isEqualTo(SIZE);
        assertErrno(Errno.ENOTDIR, () -> over.names(ROOT));
        over.sync(ROOT);
        assertThat(disk.flushes.get()).isEqualTo(1);
    }

    @Test
    void directory_is_no_disk() {
        var memory = Posix.memory(new byte[10]);
        assertErrno(Errno.EISDIR, () -> files.read(ROOT, 0, memory.address(), 10));
        assertErrno(Errno.EISDIR, () -> files.open(ROOT, 0));
        assertErrno(Errno.EACCES, () -> files.access(ROOT, 2));
    }

    @Test
    void reads_and_writes_end_at_the_border() throws Exception {
        long node = files.lookup(ROOT, "a.raw");
        byte[] bytes = {1, 2, 3, 4, 5, 6};
        var memory = Posix.memory(bytes);
        assertThat(files.write(node, SIZE - 4, memory.address(), 6)).isEqualTo(4);
        assertThat(disk.content(SIZE - 4, 4)).containsExactly(1, 2, 3, 4);
        assertThat(files.read(node, SIZE - 2, memory.address(), 6)).isEqualTo(2);
        assertThat(memory.getByte(0)).isEqualTo((byte) 3);
        assertThat(files.read(node, SIZE, memory.address(), 6)).isZero();
        assertThat(files.read(node, Long.MAX_VALUE, memory.address(), 6)).isZero();
        assertErrno(Errno.ENOSPC, () -> files.write(node, SIZE, memory.address(), 6));
    }

    @Test
    void read_only_disk_takes_no_change() throws Exception {
        long node = files.lookup(ROOT, "b.raw");
        files.open(node, 0);
        files.access(node, 4);
        assertErrno(Errno.EROFS, () -> files.open(node, 1));
        assertErrno(Errno.EROFS, () -> files.open(node, 2));
        assertErrno(Errno.EROFS, () -> files.access(node, 2));
        assertErrno(Errno.EROFS, () -> files.resize(node, 8192));
        assertErrno(Errno.EROFS, () -> files.allocate(node, 3, 0, 1));
    }

    @Test
    void unknown_fallocate_modes_are_refused_before_any_work() throws Exception {
        long node = files.lookup(ROOT, "a.raw");
        byte[] content = new byte[SIZE];
        Arrays.fill(content, (byte) 9);
        disk.fill(0, content);
        for (int mode : new int[] {2, 4, 8, 9, 0x20, 0x13, 0x40, -1}) {
            assertErrno(Errno.EOPNOTSUPP, () -> files.allocate(node, mode, 0, SIZE));
            assertErrno(Errno.EOPNOTSUPP, () -> files.allocate(node, mode, SIZE - 1, SIZE));
        }
        assertThat(disk.size()).isEqualTo(SIZE);
        assertThat(disk.content(0, SIZE)).isEqualTo(content);
        assertErrno(Errno.EINVAL, () -> files.allocate(node, 0, 0, 0));
        assertErrno(Errno.EINVAL, () -> files.allocate(node, 0, -1, 1));
        assertErrno(Errno.EFBIG, () -> files.allocate(node, 0, Long.MAX_VALUE, 1));
    }

    @Test
    void impossible_growth_leaves_the_disk_as_it_is() throws Exception {
        long node = files.lookup(ROOT, "a.raw");
        disk.fill(SIZE - 1, new byte[] {9});
        assertErrno(Errno.EINVAL, () -> files.allocate(node, RangeChange.ZERO_RANGE, SIZE - 1, 2));
        assertThat(disk.content(SIZE - 1, 1)).containsExactly(9);
        assertThat(disk.size()).isEqualTo(SIZE);
    }

    @Test
    void seeking_knows_data_holes_and_nothing_else() throws Exception {
        long node = files.lookup(ROOT, "a.raw");
        disk.fill(8192, new byte[5000]);
        assertThat(files.seek(node, 0, SeekExtent.SEEK_DATA)).isEqualTo(8192);
        assertThat(files.seek(node, 8192, SeekExtent.SEEK_HOLE)).isEqualTo(16384);
        assertErrno(Errno.EINVAL, () -> files.seek(node, 0, 0));
        assertErrno(Errno.ENXIO, () -> files.seek(node, -1, SeekExtent.SEEK_DATA));
    }

    @Test
    void owner_and_permissions_change_for_the_life_of_the_mount() throws Exception {
        long node = files.lookup(ROOT, "a.raw");
        files.chmod(node, 0104777);
        files.chown(node, -1, 9);
        NodeAttributes changed = files.attributes(node);
        assertThat(changed.mode()).isEqualTo(0100777);
        assertThat(changed.uid()).isEqualTo(3);
        assertThat(changed.gid()).isEqualTo(9);
    }

    @Test
    void statistics_never_promise_more_than_the_disks_hold() {
        Statistics statistics = files.statistics();
        assertThat(statistics.capacity()).isEqualTo(SIZE + 4096);
        assertThat(statistics.free()).isEqualTo(SIZE + 4096);
        assertThat(statistics.files()).isEqualTo(3);
    }

    @Test
    void sync_of_the_root_flushes_every_disk() throws Exception {
        files.sync(ROOT);
        assertThat(disk.flushes.get()).isEqualTo(1);
        assertThat(fixed.flushes.get()).isEqualTo(1);
    }
}
