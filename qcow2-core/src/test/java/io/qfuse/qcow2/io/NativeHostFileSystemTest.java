package io.qfuse.qcow2.io;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files that can do less than a regular file of a local file system. */
@Tag("system")
final class NativeHostFileSystemTest {

    private static final int SIZE = 1 << 20;

    @TempDir
    Path dir;

    @Test
    void block_device_is_read_written_zeroed_and_measured_like_a_file() throws Exception {
        Path backing = Files.write(dir.resolve("backing"), new byte[SIZE]);
        String device = run("losetup", "-f", "--show", backing.toString()).trim();
        try (NativeHostFile file = NativeHostFile.open(Path.of(device), true)) {
            assertThat(file.size()).isEqualTo(SIZE);
            assertThat(file.allocatedBytes()).isEqualTo(SIZE);
            assertZeroing(file);
            assertThat(file.seekData(100)).isEqualTo(100);
            assertThat(file.seekHole(100)).isEqualTo(SIZE);
            file.allocate(0, SIZE);
            file.sync();
        } finally {
            run("losetup", "-d", device);
        }
    }

    @Test
    void file_system_without_zero_range_zeroes_and_grows_all_the_same() throws IOException {
        Path memory = Files.createTempFile(Path.of("/dev/shm"), "qfuse", "test");
        try (NativeHostFile file = NativeHostFile.open(memory, true)) {
            assertZeroing(file);
            file.writeZeroes(SIZE - 10, 4096);
            assertThat(file.size()).isEqualTo(SIZE - 10 + 4096);
            file.writeZeroes(3L << 20, 1);
            assertThat(file.size()).isEqualTo((3L << 20) + 1);
        } finally {
            Files.delete(memory);
        }
    }

    private static void assertZeroing(NativeHostFile file) throws IOException {
        byte[] bytes = new byte[SIZE];
        new Random(1).nextBytes(bytes);
        file.write(0, bytes, 0, SIZE);
        file.writeZeroes(4096, 8192);
        file.writeZeroes(100_001, 333);
        file.punchHole(200_001, 70_000);
        file.punchHole(512 << 10, SIZE);
        Arrays.fill(bytes, 4096, 4096 + 8192, (byte) 0);
        Arrays.fill(bytes, 100_001, 100_334, (byte) 0);
        Arrays.fill(bytes, 200_001, 270_001, (byte) 0);
        Arrays.fill(bytes, 512 << 10, SIZE, (byte) 0);
        byte[] seen = new byte[SIZE];
        file.read(0, seen);
        assertThat(seen).isEqualTo(bytes);
        assertThat(file.size()).isEqualTo(SIZE);
    }

    private static String run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }
}
