package io.qfuse.qcow2.alloc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.cache.CacheBudget;
import io.qfuse.cache.CapturedSlice;
import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.guard.HeaderPatch;
import io.qfuse.qcow2.guard.Health;
import io.qfuse.qcow2.guard.MetadataClusters;
import io.qfuse.qcow2.guard.MetadataScan;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.table.Tables;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.ImageTally;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.RecordingFile;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ClusterAllocatorTest {

    /** Header, refcount table, refcount block, L1 table. */
    private static final int FIRST_FREE = 4;

    /** An allocator over a fresh image in memory. */
    private static final class Fixture {

        private final MemoryHostFile image;
        private final RecordingFile file;
        private final Geometry geometry;
        private final MetadataClusters metadata;
        private final ClusterAllocator allocator;

        Fixture(int clusterBits, int refcountOrder) throws IOException {
            this(new ImageKind(3, clusterBits, refcountOrder, false).create(1024));
        }

        Fixture(MemoryHostFile image) throws IOException {
            this.image = image;
            this.file = new RecordingFile(image);
            Header header = HeaderReader.read(file);
            this.geometry = header.geometry();
            Health health = new Health(file, header, true);
            this.metadata = MetadataScan.read(file, header, health, List.of(), 0);
            Tables tables = new Tables(file, geometry, new CacheBudget(64 << 10), health, metadata);
            this.allocator = new ClusterAllocator(file, tables, header, health, metadata);
        }

        /** The clusters of a run, which nobody was given before. */
        void claim(HostRun run, BitSet taken) {
            int first = (int) geometry.clusterIndex(run.offset());
            assertThat(geometry.offsetInCluster(run.offset())).isZero();
            assertThat(taken.get(first, first + run.clusters()).isEmpty())
                    .as("clusters %d to %d are given out once", first, first + run.clusters())
                    .isTrue();
            taken.set(first, first + run.clusters());
        }

        /** Writes the counts to the file, as a checkpoint does. */
        ImageTally store() throws IOException {
            ClusterAllocator.Captured captured = allocator.capture();
            for (List<CapturedSlice> rank : List.of(captured.blocks(), captured.table())) {
                for (CapturedSlice slice : rank) {
                    image.write(slice.offset(), slice.bytes(), 0, slice.bytes().length);
                }
            }
            new HeaderPatch(image, metadata)
                    .refcountTable(
                            captured.location().offset(), captured.location().clusters());
            return new ImageTally(image);
        }

        void releaseAll() throws IOException {
            allocator.release(allocator.cutFrees());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6})
    void counts_of_every_width_grow_beyond_their_table(int refcountOrder) throws IOException {
        Fixture fixture = new Fixture(9, refcountOrder);
        int wanted = 64 * fixture.geometry.refcountsPerBlock() * 5 / 4;
        Random random = new Random(refcountOrder);
        BitSet taken = new BitSet();
        while (taken.cardinality() < wanted) {
            fixture.claim(fixture.allocator.allocate(1 + random.nextInt(1 + wanted / 20)), taken);
        }
        fixture.releaseAll();
        ImageTally tally = fixture.store();
        assertThat(tally.header().refcountTableClusters()).isGreaterThan(1);
        assertThat(tally.corruptions()).isEmpty();
        assertThat(tally.leaks()).as("clusters that are counted for us alone").isEqualTo(taken.cardinality());
        taken.stream()
                .forEach(cluster -> assertThat(tally.use(fixture.geometry.clusterOffset(cluster)))
                        .isNull());
    }

    @ParameterizedTest
    @ValueSource(ints = {4, 6})
    void adjacent_clusters_are_found_across_any_number_of_blocks(int refcountOrder) throws IOException {
        Fixture fixture = new Fixture(9, refcountOrder);
        int perBlock = fixture.geometry.refcountsPerBlock();
        BitSet taken = new BitSet();
        for (int count : new int[] {1, 3, perBlock - 1, perBlock, perBlock + 1, 5 * perBlock + 7, 2}) {
            HostRun run = fixture.allocator.allocateAdjacent(count);
            assertThat(run.clusters()).isEqualTo(count);
            fixture.claim(run, taken);
            fixture.claim(fixture.allocator.allocate(1), taken);
        }
        ImageTally tally = fixture.store();
        assertThat(tally.corruptions()).isEmpty();
        assertThat(tally.leaks()).isEqualTo(taken.cardinality());
    }

    @Test
    void what_is_said_to_be_fresh_was_never_written() throws IOException {
        Fixture fixture = new Fixture(9, 6);
        Random random = new Random(5);
        List<HostRun> ours = new ArrayList<>();
        int fresh = 0;
        for (int i = 0; i < 3000; i++) {
            switch (random.nextInt(4)) {
                case 0 -> {
                    if (!ours.isEmpty()) {
                        HostRun run = ours.remove(random.nextInt(ours.size()));
                        if (random.nextBoolean()) {
                            fixture.allocator.free(run.offset(), run.clusters(), random.nextBoolean());
                        } else {
                            fixture.allocator.abandon(run);
                        }
                    }
                }
                case 1 -> fixture.releaseAll();
                default -> {
                    HostRun run = random.nextInt(10) == 0
                            ? fixture.allocator.allocateAdjacent(1 + random.nextInt(100))
                            : fixture.allocator.allocate(1 + random.nextInt(6));
                    int length = (int) fixture.geometry.clusterOffset(run.clusters());
                    if (run.fresh()) {
                        fresh++;
                        assertThat(fixture.file.calls()).noneMatch(call -> call.touches(run.offset(), length));
                    }
                    byte[] bytes = new byte[length];
                    Arrays.fill(bytes, (byte) 1);
                    fixture.file.write(run.offset(), bytes, 0, length);
                    ours.add(run);
                }
            }
        }
        assertThat(fresh).as("fresh runs").isGreaterThan(100);
    }

    @Test
    void cluster_that_is_freed_is_given_out_again_when_it_is_released_and_first_of_all() throws IOException {
        Fixture fixture = new Fixture(12, 4);
        HostRun run = fixture.allocator.allocate(20);
        assertThat(run.offset()).isEqualTo(FIRST_FREE * 4096L);
        long freed = run.offset() + 5 * 4096;
        fixture.allocator.free(freed, 1, false);
        assertThat(fixture.allocator.allocate(1).offset()).isEqualTo(run.offset() + 20 * 4096);
        fixture.releaseAll();
        HostRun again = fixture.allocator.allocate(10);
        assertThat(again).isEqualTo(new HostRun(freed, 1, false));
        fixture.allocator.abandon(again);
        assertThat(fixture.allocator.allocate(1).offset()).isEqualTo(freed);
    }

    @Test
    void frees_of_a_checkpoint_that_failed_wait_for_the_next() throws IOException {
        Fixture fixture = new Fixture(12, 4);
        HostRun run = fixture.allocator.allocate(2);
        fixture.allocator.free(run.offset(), 2, true);
        List<PendingFrees.Free> cut = fixture.allocator.cutFrees();
        assertThat(fixture.allocator.pendingFrees()).isZero();
        fixture.allocator.restoreFrees(cut);
        assertThat(fixture.allocator.pendingFrees()).isEqualTo(1);
        fixture.releaseAll();
        assertThat(fixture.file.calls()).endsWith(new RecordingFile.Call("punchHole", run.offset(), 2 * 4096));
    }

    @Test
    void cluster_that_others_refer_to_is_not_punched() throws IOException {
        Fixture fixture = new Fixture(12, 4);
        HostRun run = fixture.allocator.allocate(3);
        byte[] two = {0, 2};
        fixture.store();
        fixture.image.write(2 * 4096 + 2 * (FIRST_FREE + 1), two, 0, 2); // the middle one, in the block at cluster 2
        Fixture again = new Fixture(fixture.image);
        again.allocator.free(run.offset(), 3, true);
        again.releaseAll();
        assertThat(again.file.calls())
                .containsExactly(
                        new RecordingFile.Call("punchHole", run.offset(), 4096),
                        new RecordingFile.Call("punchHole", run.offset() + 2 * 4096, 4096));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void header_and_tables_are_never_given_out_whatever_their_counts_say(int cluster) throws IOException {
        MemoryHostFile image = new ImageKind(3, 12, 4, false).create(1024);
        image.write(2 * 4096 + 2 * cluster, new byte[2], 0, 2);
        Fixture fixture = new Fixture(image);
        assertThatThrownBy(() -> fixture.allocator.allocate(1))
                .isInstanceOfSatisfying(
                        Qcow2Exception.class, e -> assertThat(e.kind()).isEqualTo(Qcow2Exception.Kind.CORRUPT));
    }

    @Test
    void cluster_that_is_given_up_twice_is_damage() throws IOException {
        Fixture fixture = new Fixture(12, 4);
        HostRun run = fixture.allocator.allocate(1);
        fixture.allocator.abandon(run);
        assertThatThrownBy(() -> fixture.allocator.abandon(run))
                .isInstanceOf(Qcow2Exception.class)
                .hasMessageContaining("0x" + Long.toHexString(run.offset()));
    }
}
