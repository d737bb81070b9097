package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.create.NewImage;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderCodec;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Huge disks: what is asked of them costs a walk over L1 entries at worst, never one over clusters. Told by
 * counting what is read of the host's file, and never by a clock. A small cache may have to read a slice twice.
 */
final class HugeDiskTest {

    private static final long PIB = 1L << 50;
    /** What an operation may read beside tables: refcounts, cluster 0, slices of the L1 table that were evicted. */
    private static final long FEW = 200;

    /** A disk whose L1 table has thousands of slices, or of a petabyte. */
    enum Kind {
        BYTES_512(512, 8L << 30),
        KIB_4(4 << 10, 1L << 40),
        KIB_64(64 << 10, PIB),
        MIB_2(2 << 20, PIB);

        private final int cluster;
        private final long size;

        Kind(int cluster, long size) {
            this.cluster = cluster;
            this.size = size;
        }

        CountedFile create(long diskSize) throws IOException {
            CreateOptions options =
                    CreateOptions.parse(List.of("cluster_size=" + cluster)).withSize(diskSize);
            CountedFile file = new CountedFile(new MemoryHostFile("huge.qcow2"));
            NewImage.plan(options, Path.of("huge.qcow2")).writeTo(file);
            return file;
        }

        long l1Bytes() {
            return size / (cluster / 8L * cluster) * 8;
        }

        /** Reads of a walk over the L1 table and so many L2 tables. */
        long walk(int l2Tables) {
            long slice = Math.min(4096, cluster);
            return l1Bytes() / slice + l2Tables * (cluster / slice) + FEW;
        }
    }

    /** Counts reads. */
    private static final class CountedFile extends ForwardingFile {

        private final AtomicLong reads = new AtomicLong();

        CountedFile(HostFile to) {
            super(to);
        }

        @Override
        public void read(long offset, long address, int length) throws IOException {
            reads.incrementAndGet();
            super.read(offset, address, length);
        }

        @Override
        public void read(long offset, byte[] into) throws IOException {
            reads.incrementAndGet();
            super.read(offset, into);
        }

        @Override
        public void close() {}
    }

    private static Disk open(HostFile file, @Nullable Layer below) throws IOException {
        OpenOptions options = OpenOptions.readWrite().withCacheBytes(256 << 10);
        byte[] start = new byte[(int) Math.min(file.size(), 2 << 20)];
        file.read(0, start);
        Header header = HeaderCodec.decode(start, file.path(), file.size());
        return new Qcow2Image(new ImageFiles(file, null), header, below, options, Qcow2Image.ChainCaches.of(options));
    }

    private static void write(Disk disk, long offset) throws IOException {
        try (NativeBuffer buffer = NativeBuffer.allocate(512)) {
            NativeBuffer.put(buffer.address(), new byte[] {1}, 0, 1);
            disk.write(offset, buffer.address(), 1);
        }
    }

    /** The first byte of data; -1 where there is none. */
    private static long seekData(Disk disk) throws IOException {
        for (long at = 0; at < disk.size(); ) {
            Extent extent = disk.nextExtent(at);
            if (!extent.isHole()) {
                return at;
            }
            at = extent.end();
        }
        return -1;
    }

    @ParameterizedTest
    @EnumSource
    void opening_reads_the_l1_table_once_in_large_pieces(Kind kind) throws IOException {
        CountedFile file = kind.create(kind.size);
        file.reads.set(0);
        try (Disk disk = open(file, null)) {
            assertThat(disk.size()).isEqualTo(kind.size);
            assertThat(file.reads).hasValueLessThan(FEW + kind.l1Bytes() / (64 << 10));
        }
    }

    @ParameterizedTest
    @EnumSource
    void the_one_cluster_near_the_end_is_found_by_a_walk_over_the_l1_table(Kind kind) throws IOException {
        CountedFile file = kind.create(kind.size);
        try (Disk disk = open(file, null)) {
            assertThat(seekData(disk)).isEqualTo(-1);
            long at = kind.size - 3L * kind.cluster;
            write(disk, at);
            disk.flush();
            file.reads.set(0);
            assertThat(seekData(disk)).isEqualTo(at);
            assertThat(file.reads).hasValueLessThan(2 * kind.walk(1));
        }
    }

    @ParameterizedTest
    @EnumSource
    void zeroes_and_discards_over_everything_touch_what_is_there(Kind kind) throws IOException {
        CountedFile file = kind.create(kind.size);
        try (Disk disk = open(file, null)) {
            write(disk, kind.size / 2 + 5);
            write(disk, kind.size - 1);
            disk.flush();
            long before = file.size();
            for (boolean unmap : new boolean[] {false, true, false}) {
                file.reads.set(0);
                disk.writeZeroes(0, kind.size, unmap);
                assertThat(file.reads).hasValueLessThan(2 * kind.walk(4));
                file.reads.set(0);
                disk.writeZeroes(77, kind.size - 1000, unmap);
                assertThat(file.reads).hasValueLessThan(2 * kind.walk(4));
            }
            assertThat(seekData(disk)).isEqualTo(-1);
            assertThat(file.size()).as("no L2 table is made for what is empty").isLessThan(before + 8L * kind.cluster);
        }
        CheckedImage.requireClean(file);
    }

    @ParameterizedTest
    @EnumSource
    void a_huge_sparse_base_is_walked_by_its_runs(Kind kind) throws IOException {
        CountedFile below = kind.create(kind.size);
        CountedFile file = kind.create(kind.size);
        try (Disk disk = open(file, open(below, null))) {
            file.reads.set(0);
            below.reads.set(0);
            assertThat(seekData(disk)).isEqualTo(-1);
            disk.writeZeroes(0, kind.size, true);
            assertThat(file.reads).hasValueLessThan(4 * kind.walk(0));
            assertThat(below.reads).hasValueLessThan(4 * kind.walk(0));
        }
    }

    @ParameterizedTest
    @EnumSource
    void data_in_a_huge_base_stop_the_walk_where_they_are_and_not_before(Kind kind) throws IOException {
        CountedFile below = kind.create(kind.size);
        try (Disk base = open(below, null)) {
            for (int i = 1; i <= 40; i++) {
                write(base, kind.size / 41 * i);
            }
        }
        CountedFile file = kind.create(kind.size);
        try (Disk disk = open(file, open(below, null))) {
            file.reads.set(0);
            below.reads.set(0);
            disk.writeZeroes(0, kind.size, true);
            assertThat(seekData(disk)).isEqualTo(-1);
            assertThat(file.reads).hasValueLessThan(3 * kind.walk(80));
            assertThat(below.reads).hasValueLessThan(3 * kind.walk(80));
        }
        CheckedImage.requireClean(file);
    }

    @ParameterizedTest
    @EnumSource
    void growing_far_and_back_walks_the_l1_table(Kind kind) throws IOException {
        CountedFile file = kind.create(1 << 20);
        try (Disk disk = open(file, null)) {
            write(disk, 4096);
            file.reads.set(0);
            disk.resize(kind.size);
            write(disk, kind.size - 512);
            disk.resize(1 << 20);
            assertThat(file.reads).hasValueLessThan(4 * kind.walk(2));
            assertThat(seekData(disk)).isEqualTo(4096L / kind.cluster * kind.cluster);
        }
        CheckedImage.requireClean(file);
    }

    @Test
    void memory_is_that_of_the_cache_whatever_the_l1_table_claims() throws IOException {
        Kind kind = Kind.KIB_64;
        CountedFile file = kind.create(kind.size);
        try (Disk disk = open(file, null)) {
            write(disk, kind.size / 3);
            disk.flush();
            long before = used();
            assertThat(seekData(disk)).isNotNegative();
            disk.writeZeroes(0, kind.size, true);
            // The L1 table has 16 MiB, the cache 256 KiB; the heap is counted by its regions, of some MiB each.
            assertThat(used() - before).isLessThan(8 << 20);
        }
    }

    private static long used() {
        Runtime runtime = Runtime.getRuntime();
        long least = Long.MAX_VALUE;
        for (int i = 0; i < 3; i++) {
            System.gc();
            least = Math.min(least, runtime.totalMemory() - runtime.freeMemory());
        }
        return least;
    }
}
