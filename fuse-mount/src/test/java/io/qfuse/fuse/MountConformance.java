package io.qfuse.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.ToLongFunction;
import org.junit.jupiter.api.Test;

/** What a mounted disk does for its users, whatever transport carries it. */
abstract class MountConformance extends MountFixture {

    @Test
    void dd_reads_the_whole_disk() throws Exception {
        Path copy = temporary.resolve("copy");
        Tool.run("dd", "if=" + raw, "of=" + copy, "bs=1M");
        assertThat(Files.readAllBytes(copy)).isEqualTo(disk.content(0, SIZE));
    }

    @Test
    void writes_of_any_alignment_are_read_back() throws Exception {
        var random = new Random(7);
        byte[] expected = disk.content(0, SIZE);
        try (Posix file = Posix.open(raw, Posix.O_RDWR)) {
            for (int i = 0; i < 200; i++) {
                byte[] bytes = random(1 + random.nextInt(i % 10 == 0 ? 2 * MIB : 9000), i);
                int offset = random.nextInt(SIZE - bytes.length);
                assertThat(file.write(offset, bytes)).isEqualTo(bytes.length);
                System.arraycopy(bytes, 0, expected, offset, bytes.length);
            }
        }
        assertThat(disk.content(0, SIZE)).isEqualTo(expected);
        assertThat(Files.readAllBytes(raw)).isEqualTo(expected);
    }

    @Test
    void read_stops_at_the_end_and_write_behind_it_finds_no_space() throws Exception {
        disk.resize(SIZE - 512);
        try (Posix file = Posix.open(raw, Posix.O_RDWR)) {
            assertThat(file.read(SIZE - 1024, 4096)).hasSize(512);
            assertThat(file.read(SIZE, 4096)).isEmpty();
            assertThat(file.write(SIZE - 1024, new byte[1024])).isEqualTo(512);
            assertErrno(Errno.ENOSPC, () -> file.write(SIZE - 512, new byte[1]));
            assertErrno(Errno.ENOSPC, () -> file.write(2L * SIZE, new byte[4096]));
        }
        assertThat(disk.size()).isEqualTo(SIZE - 512);
    }

    @Test
    void what_was_asked_is_counted() throws Exception {
        MountReport before = Mount.report(place);
        try (Posix file = Posix.open(raw, Posix.O_RDWR)) {
            for (int i = 0; i < 5; i++) {
                file.write(i * 8192L, new byte[4096]);
            }
            file.sync();
            file.sync();
            file.seek(0, SEEK_DATA);
        }
        MountReport now = Mount.report(place);
        // The second transport counts a request behind its reply.
        for (int i = 0; i < 500 && counted(now) < counted(before) + 8; i++) {
            Thread.sleep(10);
            now = Mount.report(place);
        }
        MountReport after = now;
        ToLongFunction<String> more = name -> after.get(name) - before.get(name);
        assertThat(more.applyAsLong("requests.write.count")).isEqualTo(5);
        assertThat(more.applyAsLong("requests.write.bytes")).isEqualTo(5 * 4096);
        assertThat(more.applyAsLong("requests.fsync.count")).isEqualTo(2);
        assertThat(more.applyAsLong("requests.lseek.count")).isEqualTo(1);
        assertThat(more.applyAsLong("requests.write.failed")).isZero();
        assertThat(after.get("requests.write.latency_ns.p50"))
                .isBetween(1L, after.get("requests.write.latency_ns.max"));
    }

    private static long counted(MountReport report) {
        return report.get("requests.write.count")
                + report.get("requests.fsync.count")
                + report.get("requests.lseek.count");
    }

    @Test
    void fsync_flushes_the_disk() throws Exception {
        try (Posix file = Posix.open(raw, Posix.O_RDWR)) {
            int before = disk.flushes.get();
            file.write(0, new byte[4096]);
            file.sync();
            assertThat(disk.flushes.get()).isEqualTo(before + 1);
        }
    }

    @Test
    void blocks_tell_the_allocated_space() throws Exception {
        assertThat(blocks()).isEqualTo(3 * MIB / 512);
        try (Posix file = Posix.open(raw, Posix.O_RDWR)) {
            file.write(8 * MIB, new byte[2 * CLUSTER]);
            file.sync();
            assertThat(blocks()).isEqualTo((3 * MIB + 2 * CLUSTER) / 512);
            file.fallocate(PUNCH_HOLE | KEEP_SIZE, 0, MIB);
            assertThat(blocks()).isEqualTo((2 * MIB + 2 * CLUSTER) / 512);
        }
    }

    @Test
    void fallocate_zeroes_unaligned_ranges_exactly() throws Exception {
        byte[] expected = disk.content(0, SIZE);
        try (Posix file = Posix.open(raw, Posix.O_RDWR)) {
            int[] modes = {PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE, ZERO_RANGE | KEEP_SIZE};
            for (int i = 0; i < 30; i++) {
                int offset = i * 90_001;
                int length = 1 + i * 1777;
                file.fallocate(modes[i % 3], offset, length);
                Arrays.fill(expected, offset, offset + length, (byte) 0);
            }
            assertThat(file.read(0, 4 * MIB)).isEqualTo(Arrays.copyOf(expected, 4 * MIB));
        }
        assertThat(disk.content(0, SIZE)).isEqualTo(expected);
    }

    @Test
    void fallocate_reserves_without_changing_a_byte() throws Exception {
        byte[] expected = disk.content(0, SIZE);
        try (Posix file = Posix.open(raw, Posix.O_RDWR)) {
            file.fallocate(0, MIB + 1, 5 * MIB);
            file.fallocate(KEEP_SIZE, 12 * MIB, 8 * MIB);
        }
        assertThat(disk.content(0, SIZE)).isEqualTo(expected);
        assertThat(disk.size()).isEqualTo(SIZE);
        assertThat(blocks()).isEqualTo((10 * MIB + CLUSTER) / 512);
    }

    @Test
    void fallocate_at_the_end_clips_what_keeps_the_size_and_grows_what_does_not() throws Exception {
        try (Posix file = Posix.open(raw, Posix.O_RDWR)) {
            file.fallocate(PUNCH_HOLE | KEEP_SIZE, SIZE - 100, 5000);
            file.fallocate(ZERO_RANGE | KEEP_SIZE, SIZE + 1000, 5000);
            assertThat(Files.size(raw)).isEqualTo(SIZE);
            file.fallocate(ZERO_RANGE, SIZE - 10, 522);
            assertThat(Files.size(raw)).isEqualTo(SIZE + 512);
            file.fallocate(0, SIZE, 4096);
            assertThat(Files.size(raw)).isEqualTo(SIZE + 4096);
            assertErrno(Errno.EINVAL, () -> file.fallocate(0, SIZE, 4097));
            assertErrno(Errno.EOPNOTSUPP, () -> file.fallocate(8, 0, 4096));
        }
    }

    @Test
    void seek_finds_data_and_holes() throws Exception {
        disk.fill(5 * MIB, random(CLUSTER, 2));
        try (Posix file = Posix.open(raw, Posix.O_RDONLY)) {
            assertThat(file.seek(0, SEEK_DATA)).isZero();
            assertThat(file.seek(17, SEEK_DATA)).isEqualTo(17);
            assertThat(file.seek(0, SEEK_HOLE)).isEqualTo(3 * MIB);
            assertThat(file.seek(3 * MIB, SEEK_DATA)).isEqualTo(5 * MIB);
            assertThat(file.seek(4 * MIB, SEEK_HOLE)).isEqualTo(4 * MIB);
            assertThat(file.seek(5 * MIB, SEEK_HOLE)).isEqualTo(5 * MIB + CLUSTER);
            assertErrno(Errno.ENXIO, () -> file.seek(6 * MIB, SEEK_DATA));
            assertErrno(Errno.ENXIO, () -> file.seek(SIZE, SEEK_HOLE));
            assertErrno(Errno.ENXIO, () -> file.seek(SIZE, SEEK_DATA));
            assertErrno(Errno.ENXIO, () -> file.seek(SIZE + 1, SEEK_DATA));
        }
    }

    @Test
    void the_end_of_the_disk_counts_as_a_hole() throws Exception {
        disk.fill(SIZE - CLUSTER, random(CLUSTER, 3));
        try (Posix file = Posix.open(raw, Posix.O_RDONLY)) {
            assertThat(file.seek(SIZE - 1, SEEK_DATA)).isEqualTo(SIZE - 1);
            assertThat(file.seek(SIZE - CLUSTER, SEEK_HOLE)).isEqualTo(SIZE);
        }
    }

    @Test
    void sparse_copy_right_after_a_buffered_write_has_what_was_written() throws Exception {
        Path copy = temporary.resolve("copy");
        try (Posix file = Posix.open(raw, Posix.O_RDWR)) {
            file.write(9 * MIB + 5, random(70_000, 4));
            Tool.run("cp", "--sparse=auto", raw, copy);
        }
        assertThat(Files.readAllBytes(copy)).isEqualTo(disk.content(0, SIZE));
    }

    @Test
    void size_changes_with_truncate_but_never_to_nothing() throws Exception {
        try (Posix file = Posix.open(raw, Posix.O_RDWR)) {
            file.truncate(SIZE + 1024);
            assertThat(Files.size(raw)).isEqualTo(SIZE + 1024);
            assertErrno(Errno.EINVAL, () -> file.truncate(SIZE + 1));
            assertErrno(Errno.EPERM, () -> file.truncate(0));
        }
        assertErrno(Errno.EPERM, () -> Posix.open(raw, Posix.O_WRONLY | Posix.O_TRUNC));
        assertThat(Files.size(raw)).isEqualTo(SIZE + 1024);
    }

    @Test
    void mode_owner_and_times_can_be_set() throws Exception {
        Posix.chmod(raw, 0640);
        Posix.chown(raw, 1, 2);
        Tool.run("touch", raw);
        assertThat(Tool.run("stat", "-c", "%a %u %g", raw)).isEqualTo("640 1 2");
    }

    @Test
    void access_follows_the_disk() throws Exception {
        Posix.access(raw, 4 | 2);
        assertErrno(Errno.EACCES, () -> Posix.access(raw, 1));
    }

    @Test
    void statfs_tells_the_capacity() throws Exception {
        String[] sizes = Tool.run("stat", "-f", "-c", "%b %S %f", place).split(" ", -1);
        long block = Long.parseLong(sizes[1]);
        assertThat(Long.parseLong(sizes[0]) * block).isEqualTo(SIZE);
        assertThat(Long.parseLong(sizes[2]) * block).isBetween(0L, (long) SIZE);
    }

    @Test
    void direct_io_reads_and_writes() throws Exception {
        try (var channel = FileChannel.open(raw, StandardOpenOption.READ, StandardOpenOption.WRITE, DirectIo.DIRECT)) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(3 * MIB).alignedSlice(4096);
            buffer.limit(2 * MIB);
            while (buffer.hasRemaining()) {
                channel.read(buffer, buffer.position());
            }
            byte[] read = new byte[2 * MIB];
            buffer.flip().get(read);
            assertThat(read).isEqualTo(disk.content(0, 2 * MIB));
            buffer.clear().limit(8192);
            buffer.put(random(8192, 5)).flip();
            assertThat(channel.write(buffer, 7 * MIB)).isEqualTo(8192);
            assertThat(disk.content(7 * MIB, 8192)).isEqualTo(random(8192, 5));
        }
    }

    @Test
    void cached_readers_see_what_was_written_directly() throws Exception {
        try (Posix cached = Posix.open(raw, Posix.O_RDONLY);
                var direct = FileChannel.open(raw, StandardOpenOption.WRITE, DirectIo.DIRECT)) {
            cached.read(0, MIB);
            ByteBuffer buffer = ByteBuffer.allocateDirect(3 * 4096).alignedSlice(4096);
            buffer.limit(4096);
            buffer.put(random(4096, 6)).flip();
            direct.write(buffer, 8192);
            assertThat(cached.read(8192, 4096)).isEqualTo(random(4096, 6));
        }
    }

    @Test
    void mapped_memory_reads_and_writes() throws Exception {
        byte[] bytes = random(100_000, 8);
        try (var channel = FileChannel.open(raw, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            var map = channel.map(FileChannel.MapMode.READ_WRITE, 0, SIZE);
            byte[] head = new byte[MIB];
            map.get(0, head);
            assertThat(head).isEqualTo(disk.content(0, MIB));
            map.put(6 * MIB + 11, bytes);
            map.force();
        }
        assertThat(disk.content(6 * MIB + 11, bytes.length)).isEqualTo(bytes);
    }

    @Test
    void many_threads_read_and_write_at_once() throws Exception {
        int threads = 6;
        int share = SIZE / threads / CLUSTER * CLUSTER;
        var pool = Executors.newFixedThreadPool(threads);
        try {
            List<Callable<Void>> tasks = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                tasks.add(writerAndReader(t * share, share, t));
            }
            for (Future<Void> done : pool.invokeAll(tasks)) {
                done.get();
            }
        } finally {
            pool.shutdown();
        }
        assertThat(Files.readAllBytes(raw)).isEqualTo(disk.content(0, SIZE));
    }

    private Callable<Void> writerAndReader(int from, int length, int seed) {
        return () -> {
            var random = new Random(seed);
            try (Posix file = Posix.open(raw, Posix.O_RDWR)) {
                for (int i = 0; i < 100; i++) {
                    byte[] bytes = random(1 + random.nextInt(60_000), random.nextLong());
                    int at = from + random.nextInt(length - bytes.length);
                    file.write(at, bytes);
                    assertThat(file.read(at, bytes.length)).isEqualTo(bytes);
                }
            }
            return null;
        };
    }

    /** What makes a program's requests wait for none of this thread's, nor this thread's for them. */
    List<String> apart() {
        return List.of();
    }

    @Test
    void reader_killed_in_the_middle_of_a_request_does_no_harm() throws Exception {
        for (int i = 0; i < 5; i++) {
            var gate = disk.holdNextRead();
            List<String> command = new ArrayList<>(apart());
            command.addAll(List.of("dd", "if=" + raw, "of=/dev/null", "bs=4k", "iflag=direct"));
            Process reader =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            gate.arrived().await();
            // Its thread waits in the kernel, which sends an INTERRUPT and goes on to wait for the answer.
            reader.destroyForcibly();
            try (Posix other = Posix.open(raw, Posix.O_RDONLY)) {
                assertThat(other.read(MIB, MIB)).isEqualTo(disk.content(MIB, MIB));
            }
            gate.goOn().countDown();
            assertThat(reader.waitFor(20, TimeUnit.SECONDS)).isTrue();
        }
        assertThat(Files.readAllBytes(raw)).isEqualTo(disk.content(0, SIZE));
    }
}
