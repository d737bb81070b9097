package io.qfuse.qcow2.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class NativeHostFileTest {

    @TempDir
    Path dir;

    private Path create(byte[] content) throws IOException {
        return Files.write(dir.resolve("image"), content);
    }

    private static byte[] random(int length) {
        byte[] bytes = new byte[length];
        new Random(length).nextBytes(bytes);
        return bytes;
    }

    @Test
    void native_write_then_native_read_returns_the_same_bytes_at_any_alignment() throws IOException {
        byte[] bytes = random(70_001);
        try (NativeHostFile file = NativeHostFile.open(create(new byte[0]), true);
                NativeBuffer out = NativeBuffer.allocate(bytes.length);
                NativeBuffer in = NativeBuffer.allocate(bytes.length)) {
            NativeBuffer.put(out.address(), bytes, 0, bytes.length);
            file.write(12_345, out.address(), bytes.length);
            file.read(12_345, in.address(), bytes.length);
            byte[] seen = new byte[bytes.length];
            NativeBuffer.get(in.address(), seen, 0, seen.length);
            assertThat(seen).isEqualTo(bytes);
            assertThat(file.size()).isEqualTo(12_345 + bytes.length);
        }
    }

    @Test
    void heap_write_then_heap_read_returns_the_same_bytes_beyond_the_scratch_buffer() throws IOException {
        byte[] bytes = random((1 << 20) + 17);
        try (NativeHostFile file = NativeHostFile.open(create(new byte[0]), true)) {
            file.write(3, bytes, 5, bytes.length - 5);
            byte[] seen = new byte[bytes.length - 5];
            file.read(3, seen);
            assertThat(seen).isEqualTo(Arrays.copyOfRange(bytes, 5, bytes.length));
            file.sync();
        }
    }

    @Test
    void bytes_behind_the_end_of_the_file_read_as_zeroes() throws IOException {
        try (NativeHostFile file = NativeHostFile.open(create(new byte[] {1, 2, 3}), false)) {
            byte[] seen = new byte[6];
            Arrays.fill(seen, (byte) 9);
            file.read(1, seen);
            assertThat(seen).containsExactly(2, 3, 0, 0, 0, 0);
            file.read(1L << 40, seen);
            assertThat(seen).containsOnly(0);
        }
    }

    @Test
    void write_zeroes_zeroes_exactly_its_range_and_grows_the_file() throws IOException {
        byte[] bytes = random(100_000);
        try (NativeHostFile file = NativeHostFile.open(create(bytes), true)) {
            file.writeZeroes(10_001, 50_000);
            file.writeZeroes(90_000, 500_000);
            byte[] expected = Arrays.copyOf(bytes, 590_000);
            Arrays.fill(expected, 10_001, 60_001, (byte) 0);
            Arrays.fill(expected, 90_000, 590_000, (byte) 0);
            assertThat(Files.readAllBytes(file.path())).isEqualTo(expected);
        }
    }

    @Test
    void punch_hole_zeroes_exactly_its_range_frees_space_and_never_grows_the_file() throws IOException {
        byte[] bytes = random(1 << 20);
        try (NativeHostFile file = NativeHostFile.open(create(bytes), true)) {
            file.sync();
            long before = file.allocatedBytes();
            file.punchHole(4097, (1 << 20) + 4097);
            Arrays.fill(bytes, 4097, bytes.length, (byte) 0);
            assertThat(Files.readAllBytes(file.path())).isEqualTo(bytes);
            assertThat(file.allocatedBytes()).isLessThanOrEqualTo(before);
            file.punchHole(5L << 20, 4096);
            assertThat(file.size()).isEqualTo(1 << 20);
        }
    }

    @Test
    void allocate_changes_no_byte_and_truncate_sets_the_length() throws IOException {
        byte[] bytes = random(5000);
        try (NativeHostFile file = NativeHostFile.open(create(bytes), true)) {
            file.allocate(0, 9000);
            file.truncate(5000);
            assertThat(Files.readAllBytes(file.path())).isEqualTo(bytes);
            file.truncate(20_000);
            assertThat(file.size()).isEqualTo(20_000);
        }
    }

    @Test
    void seeking_finds_data_holes_and_the_end() throws IOException {
        try (NativeHostFile file = NativeHostFile.open(create(new byte[0]), true)) {
            file.truncate(8 << 20);
            file.write(4 << 20, random(4096), 0, 4096);
            assertThat(file.seekData(4 << 20)).isEqualTo(4 << 20);
            assertThat(file.seekData(0)).isBetween(0L, 4L << 20);
            assertThat(file.seekHole(4 << 20)).isBetween((4L << 20) + 4096, 8L << 20);
            assertThat(file.seekData(8 << 20)).isEqualTo(-1);
            assertThat(file.seekHole(9 << 20)).isEqualTo(9 << 20);
        }
    }

    @Test
    void missing_file_directory_and_fifo_are_refused_with_path_and_reason() {
        assertThatThrownBy(() -> NativeHostFile.open(dir.resolve("nothing"), false))
                .isInstanceOf(HostIoException.class)
                .hasMessage(dir.resolve("nothing") + ": cannot open: " + Native.describe(2))
                .extracting(e -> ((HostIoException) e).errno())
                .isEqualTo(2);
        for (boolean writable : new boolean[] {false, true}) {
            assertThatThrownBy(() -> NativeHostFile.open(dir, writable))
                    .isInstanceOf(HostIoException.class)
                    .hasMessage(dir + ": cannot open: " + Native.describe(Native.EISDIR));
        }
        assertThatThrownBy(() -> NativeHostFile.open(Path.of("/dev/null"), false))
                .hasMessage("/dev/null: cannot open: neither a regular file nor a block device");
    }

    @Test
    void failed_write_tells_call_range_and_errno() throws IOException {
        try (NativeHostFile file = NativeHostFile.open(create(new byte[10]), false)) {
            assertThatThrownBy(() -> file.write(0x20, new byte[7], 0, 7))
                    .isInstanceOf(HostIoException.class)
                    .hasMessage(file.path() + ": pwrite of 7 bytes at 0x20: " + Native.describe(9));
        }
    }

    @Test
    void names_with_spaces_and_other_letters_open() throws IOException {
        Path named = dir.resolve("a b c");
        Files.write(named, new byte[] {5});
        try (NativeHostFile file = NativeHostFile.open(named, true)) {
            assertThat(file.size()).isEqualTo(1);
        }
    }

    @Test
    void reads_writes_and_barriers_by_address_allocate_nothing() throws IOException {
        var threads = (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
        try (NativeHostFile file = NativeHostFile.open(create(new byte[8192]), true);
                NativeBuffer buffer = NativeBuffer.allocate(4096)) {
            long least = Long.MAX_VALUE;
            for (int round = 0; round < 20 && least > 0; round++) { // the first rounds load classes
                long before = threads.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < 100; i++) {
                    file.write(4096, buffer.address(), 4096);
                    file.read(4096, buffer.address(), 4096);
                }
                file.sync();
                least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
            }
            assertThat(least).isLessThan(64); // the meter's own allocation, over 201 calls
        }
    }

    @Test
    void offset_that_the_file_system_cannot_hold_is_an_error_with_the_offset() throws IOException {
        try (NativeHostFile file = NativeHostFile.open(create(new byte[10]), true)) {
            assertThatThrownBy(() -> file.write(Long.MAX_VALUE - 10, new byte[7], 0, 7))
                    .isInstanceOf(HostIoException.class)
                    .hasMessageContaining("0x7ffffffffffffff5");
        }
    }
}
