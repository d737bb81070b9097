package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.DiskStatistics.Host;
import io.qfuse.qcow2.io.NativeBuffer;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an image counts of its own work. */
final class DiskStatisticsTest {

    private static final int CLUSTER = 64 << 10;

    @TempDir
    Path temporary;

    private Path image(long size) throws IOException {
        Path image = temporary.resolve("disk.qcow2");
        Images.create(image, CreateOptions.ofSize(size));
        return image;
    }

    @Test
    void requests_within_allocated_clusters_hit_the_cache_and_call_the_host_once() throws IOException {
        try (Disk disk = Images.open(image(64 << 20), OpenOptions.readWrite());
                NativeBuffer buffer = NativeBuffer.allocate(CLUSTER)) {
            disk.write(0, buffer.address(), CLUSTER);
            DiskStatistics before = disk.statistics();
            for (int i = 0; i < 10; i++) {
                disk.read(i * 4096L, buffer.address(), 4096);
                disk.write(i * 4096L, buffer.address(), 512);
            }
            DiskStatistics after = disk.statistics();
            assertThat(after.host().reads() - before.host().reads()).isEqualTo(10);
            assertThat(after.host().readBytes() - before.host().readBytes()).isEqualTo(10 * 4096);
            assertThat(after.host().writes() - before.host().writes()).isEqualTo(10);
            assertThat(after.host().writtenBytes() - before.host().writtenBytes())
                    .isEqualTo(10 * 512);
            assertThat(after.l2().hits() - before.l2().hits()).isEqualTo(20);
            assertThat(after.l1().hits() - before.l1().hits()).isEqualTo(20);
            assertThat(after.l2().misses()).isEqualTo(before.l2().misses()).isPositive();
            assertThat(after.refcounts()).isEqualTo(before.refcounts());
        }
    }

    @Test
    void a_flush_is_a_checkpoint_and_one_of_nothing_syncs_nothing() throws IOException {
        try (Disk disk = Images.open(image(64 << 20), OpenOptions.readWrite());
                NativeBuffer buffer = NativeBuffer.allocate(CLUSTER)) {
            disk.write(0, buffer.address(), CLUSTER);
            disk.flush();
            DiskStatistics first = disk.statistics();
            assertThat(first.checkpoints().count()).isEqualTo(1);
            assertThat(first.checkpoints().longestNanos())
                    .isPositive()
                    .isEqualTo(first.checkpoints().nanos());
            assertThat(first.checkpoints().awaited()).isZero();
            assertThat(first.host().syncs()).isPositive();
            assertThat(first.host().syncNanos())
                    .isBetween(1L, first.checkpoints().nanos());
            disk.flush();
            assertThat(disk.statistics().checkpoints().count()).isEqualTo(2);
            assertThat(disk.statistics().host().syncs()).isEqualTo(first.host().syncs());
        }
    }

    @Test
    void writes_that_wait_for_room_in_the_cache_are_counted() throws IOException {
        OpenOptions tight = OpenOptions.readWrite().withCacheBytes(64 << 10);
        try (Disk disk = Images.open(image(1L << 40), tight);
                NativeBuffer buffer = NativeBuffer.allocate(512)) {
            for (long i = 0; i < 40; i++) {
                disk.write(i << 30, buffer.address(), 512);
            }
            DiskStatistics statistics = disk.statistics();
            assertThat(statistics.checkpoints().awaited()).isPositive();
            assertThat(statistics.checkpoints().count())
                    .isEqualTo(statistics.checkpoints().awaited());
            assertThat(statistics.cacheBytes()).isEqualTo(64 << 10);
        }
    }

    /** 2^40 / 64 KiB clusters of 8 bytes are 128 MiB, and each slice of 4 KiB takes some bytes more in the cache. */
    @Test
    void the_room_for_all_tables_counts_those_of_the_whole_chain() throws IOException {
        Path base = image(1L << 40);
        try (Disk disk = Images.open(base, OpenOptions.readOnly())) {
            assertThat(disk.statistics().l2Bytes()).isEqualTo((128 << 20) + (128 << 20) / 4096 * 160);
        }
        Path top = temporary.resolve("top.qcow2");
        Images.create(top, CreateOptions.ofSize(1L << 40).withBacking("disk.qcow2", "qcow2"));
        try (Disk disk = Images.open(top, OpenOptions.readOnly())) {
            assertThat(disk.statistics().l2Bytes()).isEqualTo((256 << 20) + (256 << 20) / 4096 * 160);
        }
    }

    @Test
    void disks_together_are_the_sum_and_the_longest() {
        var one = new Host(1, 2, 3, 4, 5, 6);
        assertThat(one.plus(one)).isEqualTo(new Host(2, 4, 6, 8, 10, 12));
        var checkpoints = DiskStatistics.Checkpoints.NONE.ran(7).ran(5);
        assertThat(checkpoints).isEqualTo(new DiskStatistics.Checkpoints(2, 12, 7, 0));
        assertThat(checkpoints.plus(checkpoints)).isEqualTo(new DiskStatistics.Checkpoints(4, 24, 7, 0));
    }
}
