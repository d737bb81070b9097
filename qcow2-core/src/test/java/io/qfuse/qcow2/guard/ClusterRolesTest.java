package io.qfuse.qcow2.guard;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.guard.FixedRegions.Region;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

final class ClusterRolesTest {

    @Test
    void set_says_what_a_map_says_through_any_changes() {
        for (long seed = 1; seed <= 4; seed++) {
            Random random = new Random(seed);
            ClusterRoles roles = new ClusterRoles();
            Map<Long, Integer> model = new HashMap<>();
            for (int i = 0; i < 200_000; i++) {
                long cluster = seed % 2 == 0 ? random.nextInt(3000) : random.nextLong() >>> (17 + random.nextInt(40));
                int bits = random.nextInt(3) == 0 ? random.nextInt(1 << 16) : 0;
                roles.set(cluster, bits);
                model.put(cluster, bits);
            }
            for (Map.Entry<Long, Integer> entry : model.entrySet()) {
                assertThat(roles.bits(entry.getKey()))
                        .as("seed %d, %s", seed, entry)
                        .isEqualTo(entry.getValue());
            }
        }
    }

    @Test
    void reader_never_misses_a_cluster_while_others_come_and_go() throws InterruptedException {
        ClusterRoles roles = new ClusterRoles();
        for (long cluster = 0; cluster < 1000; cluster++) {
            roles.set(cluster * 8192, 3);
        }
        AtomicBoolean stop = new AtomicBoolean();
        AtomicLong missed = new AtomicLong();
        Thread reader = new Thread(() -> {
            while (!stop.get()) {
                for (long cluster = 0; cluster < 1000; cluster++) {
                    missed.addAndGet(roles.bits(cluster * 8192) == 3 && roles.bits(cluster * 8192 + 1) == 0 ? 0 : 1);
                }
            }
        });
        reader.start();
        for (long cluster = 2; cluster < 2_000_000; cluster++) {
            if (cluster % 8192 > 1) {
                roles.set(cluster, 1);
                roles.set(cluster - 700, (cluster - 700) % 8192 == 0 ? 3 : 0);
            }
        }
        stop.set(true);
        reader.join();
        assertThat(missed).hasValue(0);
    }

    @Test
    void regions_say_what_a_list_of_them_says() {
        for (long seed = 1; seed <= 300; seed++) {
            Random random = new Random(seed);
            List<Region> regions = new ArrayList<>();
            for (int i = random.nextInt(12); i > 0; i--) {
                int start = random.nextInt(200);
                regions.add(new Region(start, start + random.nextInt(10), 1 << random.nextInt(3)));
            }
            FixedRegions fixed = new FixedRegions(regions);
            for (int i = 0; i < 200; i++) {
                long first = random.nextInt(220);
                long last = first + random.nextInt(6);
                boolean meets =
                        regions.stream().anyMatch(r -> r.start() < r.end() && r.start() <= last && first < r.end());
                assertThat(fixed.bits(first, last) != 0)
                        .as("seed %d, %d to %d in %s", seed, first, last, regions)
                        .isEqualTo(meets);
            }
        }
    }

    @Test
    void region_of_any_claimed_length_ends_where_host_offsets_do() {
        Geometry geometry = new Geometry(16, 4);
        FixedRegions fixed = new FixedRegions(List.of(Region.of(geometry, 5L << 16, -1, MetadataRole.CRYPTO_HEADER)));
        assertThat(fixed.bits(4, 4)).isZero();
        assertThat(fixed.bits(5, 5)).isEqualTo(MetadataRole.CRYPTO_HEADER.bit());
        assertThat(fixed.bits((1L << 40) - 1, 1L << 40)).isEqualTo(MetadataRole.CRYPTO_HEADER.bit());
        assertThat(new FixedRegions(List.of(Region.of(geometry, -1, 1, MetadataRole.INACTIVE_L1))).bits(0, 1L << 50))
                .isZero();
    }
}
