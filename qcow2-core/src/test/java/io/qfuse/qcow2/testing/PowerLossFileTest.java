package io.qfuse.qcow2.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class PowerLossFileTest {

    private static final int SEEDS = 300;

    private final PowerLossFile file = new PowerLossFile(new MemoryHostFile("memory"));

    private void write(long offset, int length, int value) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) value);
        file.write(offset, bytes, 0, length);
    }

    @Test
    void what_a_barrier_covered_survives_every_loss_after_it() {
        write(0, 4096, 1);
        file.sync();
        int synced = file.moments();
        write(8192, 4096, 2);
        for (long seed = 0; seed < SEEDS; seed++) {
            for (int moment = file.moments(); moment >= synced; moment--) {
                assertThat(file.afterLossAt(moment, seed).bytes(0, 4096))
                        .as("seed %d", seed)
                        .containsOnly(1);
            }
        }
    }

    @Test
    void unsynced_writes_are_lost_kept_reordered_and_torn() {
        write(0, 65536, 9);
        file.sync();
        write(0, 1024, 1);
        write(1 << 20, 512, 2);
        Set<String> seen = new HashSet<>();
        for (long seed = 0; seed < SEEDS; seed++) {
            MemoryHostFile disk = file.afterLossAt(file.moments(), seed);
            byte[] first = disk.bytes(0, 1024);
            seen.add(first[0] + " " + first[512] + " " + disk.bytes(1 << 20, 1)[0]);
        }
        assertThat(seen).contains("9 9 0", "1 1 2", "9 9 2", "1 1 0", "1 9 2", "9 1 0");
    }

    @Test
    void sector_shows_its_changes_in_their_order() {
        write(0, 512, 0);
        file.sync();
        write(0, 8, 1);
        write(8, 8, 2);
        file.punchHole(0, 8);
        Set<String> seen = new HashSet<>();
        for (long seed = 0; seed < SEEDS; seed++) {
            byte[] sector = file.afterLossAt(file.moments(), seed).bytes(0, 16);
            seen.add(sector[0] + " " + sector[8]);
        }
        assertThat(seen).containsExactlyInAnyOrder("0 0", "1 0", "1 2", "0 2");
    }

    @Test
    void length_is_one_that_the_file_had_since_the_barrier() {
        write(0, 1000, 1);
        file.sync();
        file.truncate(500);
        write(0, 3000, 2);
        Set<Long> seen = new HashSet<>();
        for (long seed = 0; seed < SEEDS; seed++) {
            seen.add(file.afterLossAt(file.moments(), seed).size());
        }
        assertThat(seen).containsExactlyInAnyOrder(1000L, 500L, 3000L);
    }

    @Test
    void seeds_zero_and_one_are_nothing_and_all_of_the_unsynced() {
        write(0, 10, 1);
        file.sync();
        write(5, 10, 2);
        assertThat(file.afterLossAt(file.moments(), 0).size()).isEqualTo(10);
        assertThat(file.afterLossAt(file.moments(), 1).bytes(0, 15))
                .containsExactly(1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2);
        assertThat(file.afterLossAt(0, 1).size()).isZero();
    }
}
