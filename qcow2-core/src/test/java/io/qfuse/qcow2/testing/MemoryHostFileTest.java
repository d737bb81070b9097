package io.qfuse.qcow2.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.io.NativeHostFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class MemoryHostFileTest {

    @TempDir
    Path dir;

    @Test
    void random_operations_leave_the_same_bytes_as_in_a_real_file() throws IOException {
        Random random = new Random(7);
        Path real = Files.createFile(dir.resolve("real"));
        MemoryHostFile memory = new MemoryHostFile("memory");
        try (NativeHostFile file = NativeHostFile.open(real, true)) {
            for (int i = 0; i < 500; i++) {
                long offset = random.nextInt(100_000);
                int length = random.nextInt(20_000);
                switch (random.nextInt(5)) {
                    case 0 -> {
                        memory.punchHole(offset, length);
                        file.punchHole(offset, length);
                    }
                    case 1 -> {
                        memory.writeZeroes(offset, length);
                        file.writeZeroes(offset, length);
                    }
                    case 2 -> {
                        memory.truncate(offset);
                        file.truncate(offset);
                    }
                    default -> {
                        byte[] bytes = new byte[length];
                        random.nextBytes(bytes);
                        memory.write(offset, bytes, 0, length);
                        file.write(offset, bytes, 0, length);
                    }
                }
                assertThat(memory.bytes(0, (int) memory.size()))
                        .as("seed 7, step %d", i)
                        .isEqualTo(Files.readAllBytes(real));
            }
        }
        memory.saveTo(dir.resolve("saved"));
        assertThat(Files.mismatch(real, dir.resolve("saved"))).isEqualTo(-1);
        assertThat(MemoryHostFile.of(real).bytes(0, (int) memory.size())).isEqualTo(Files.readAllBytes(real));
    }

    @Test
    void use_after_close_fails() {
        MemoryHostFile file = new MemoryHostFile("memory");
        file.close();
        assertThatThrownBy(() -> file.read(0, new byte[1])).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void seeking_tells_written_pages_from_holes() {
        MemoryHostFile file = new MemoryHostFile("memory");
        file.write(8192, new byte[100], 0, 100);
        assertThat(file.seekData(0)).isEqualTo(8192);
        assertThat(file.seekData(8200)).isEqualTo(8200);
        assertThat(file.seekHole(8192)).isEqualTo(8292);
        assertThat(file.seekHole(1)).isEqualTo(1);
        assertThat(file.seekData(8292)).isEqualTo(-1);
    }
}
