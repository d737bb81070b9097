package io.qfuse.qcow2;

import static io.qfuse.qcow2.testing.Interleavings.Call.call;

import io.qfuse.cache.CacheBudget;
import io.qfuse.cache.SharedSlices;
import io.qfuse.qcow2.alloc.ClusterAllocator;
import io.qfuse.qcow2.alloc.HostRun;
import io.qfuse.qcow2.commit.Checkpoint;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.format.Subclusters;
import io.qfuse.qcow2.guard.Health;
import io.qfuse.qcow2.guard.MetadataClusters;
import io.qfuse.qcow2.guard.MetadataScan;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.map.ClusterMap;
import io.qfuse.qcow2.map.EntrySpan;
import io.qfuse.qcow2.map.Mapping;
import io.qfuse.qcow2.store.PlainData;
import io.qfuse.qcow2.table.Tables;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.ImageTally;
import io.qfuse.qcow2.testing.Interleavings;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Clusters that are linked and unlinked beside checkpoints, and beside an L1 table that moves. Each guest cluster belongs to one
 * thread, as if it held it.
 */
@Tag("interleavings")
final class MetadataInterleavingsTest {

    private static final int CLUSTER = 512;

    /** Guest clusters that are stored or not. */
    public static class Clusters {

        private final boolean[] linked = new boolean[4];

        /** Gives a guest cluster a host cluster. */
        public void link(int cluster) throws IOException {
            linked[cluster] = true;
        }

        /** Gives it up. */
        public void unlink(int cluster) throws IOException {
            linked[cluster] = false;
        }

        /** Whether it has one. */
        public boolean isLinked(int cluster) throws IOException {
            return linked[cluster];
        }

        /** Makes everything durable. */
        public void checkpoint() throws IOException {}

        /** Makes room for more clusters than the L1 table can have where it is. */
        public void grow() throws IOException {}

        /** How many clusters the file counts that nobody uses, behind a checkpoint. */
        public long leaks() throws IOException {
            return 0;
        }
    }

    /** A disk that holds what was there at the last barrier, and which must be sound at each. */
    private static final class Barriers extends ForwardingFile {

        private final MemoryHostFile file;
        private MemoryHostFile durable;

        Barriers(MemoryHostFile file) {
            super(file);
            this.file = file;
            this.durable = file.copy();
        }

        @Override
        public void sync() throws IOException {
            durable = file.copy();
            require(tally().corruptions().isEmpty());
        }

        ImageTally tally() throws IOException {
            return new ImageTally(durable);
        }
    }

    /** The same in the metadata of an image. */
    public static class ImageClusters extends Clusters {

        private final Barriers file = new Barriers(new ImageKind(3, 9, 4, false).create(4 * CLUSTER));
        private final Geometry geometry;
        private final ClusterMap map;
        final ClusterAllocator allocator;
        final Checkpoint checkpoint;

        public ImageClusters() throws IOException {
            Header header = HeaderReader.read(file);
            this.geometry = header.geometry();
            Health health = new Health(file, header, true);
            MetadataClusters metadata = MetadataScan.read(file, header, health, List.of(), 0);
            CacheBudget budget = new SharedSlices().budget();
            Tables tables = new Tables(file, geometry, budget, health, metadata);
            this.allocator = new ClusterAllocator(file, tables, header, health, metadata);
            this.map = new ClusterMap(file, tables, allocator, health, metadata, header);
            PlainData data = new PlainData(file);
            this.checkpoint = new Checkpoint(file, data, tables, allocator, map, health, metadata, header);
        }

        @Override
        public void link(int cluster) throws IOException {
            try (EntrySpan span = map.open((long) cluster * CLUSTER, CLUSTER)) {
                HostRun run = allocator.allocate(1);
                require(file.tally().use(run.offset()) == null); // a crash now would bring back what names it
                byte[] content = new byte[CLUSTER];
                file.write(run.offset(), content, 0, CLUSTER);
                span.set(0, L2Entry.data(run.offset()), Subclusters.allocated(0, geometry.subclusters()));
            }
        }

        @Override
        public void unlink(int cluster) throws IOException {
            try (EntrySpan span = map.open((long) cluster * CLUSTER, CLUSTER)) {
                long host = L2Entry.hostOffset(span.descriptor(0));
                span.set(0, 0, 0);
                allocator.free(host, 1, false);
            }
        }

        @Override
        public boolean isLinked(int cluster) throws IOException {
            return map.lookup((long) cluster * CLUSTER, CLUSTER).kind() == Mapping.Kind.DATA;
        }

        @Override
        public void checkpoint() throws IOException {
            checkpoint.run();
        }

        @Override
        public void grow() throws IOException {
            map.reach(geometry.l2Reach() * (CLUSTER / Long.BYTES + 1));
        }

        @Override
        public long leaks() throws IOException {
            return file.tally().leaks();
        }
    }

    /** Gives free what was given up before the checkpoint ended, and not what was before it began. */
    public static final class FreeTooEarly extends ImageClusters {

        public FreeTooEarly() throws IOException {}

        @Override
        public void checkpoint() throws IOException {
            super.checkpoint();
            allocator.release(allocator.cutFrees());
        }
    }

    /** What fails is a result that no order explains. (AssertJ's objects have no equals, which Lincheck calls.) */
    private static void require(boolean condition) {
        if (!condition) {
            throw new AssertionError();
        }
    }

    private static Interleavings reuseBesideCheckpoint(Class<?> operations) {
        return new Interleavings(operations, Clusters.class)
                .costly()
                .first(call("link", 0), call("checkpoint"))
                .thread(call("unlink", 0), call("link", 1))
                .thread(call("checkpoint"))
                .last(call("checkpoint"), call("checkpoint"), call("leaks"));
    }

    @Test
    void a_cluster_is_given_out_once() {
        new Interleavings(ImageClusters.class, Clusters.class)
                .costly()
                .thread(call("link", 0), call("unlink", 0))
                .thread(call("link", 1))
                .last(call("isLinked", 0), call("isLinked", 1), call("checkpoint"), call("checkpoint"), call("leaks"))
                .explore();
    }

    @Test
    void what_is_linked_beside_a_checkpoint_is_made_durable_by_it_or_by_the_next() {
        new Interleavings(ImageClusters.class, Clusters.class)
                .costly()
                .first(call("link", 0))
                .thread(call("link", 1))
                .thread(call("checkpoint"))
                .last(call("isLinked", 1), call("checkpoint"), call("leaks"))
                .explore();
    }

    @Test
    void a_cluster_that_is_given_up_beside_a_checkpoint_is_given_out_when_no_durable_table_names_it() {
        reuseBesideCheckpoint(ImageClusters.class).explore();
    }

    @Test
    void a_cluster_that_is_given_out_while_a_durable_table_names_it_would_be_seen() {
        reuseBesideCheckpoint(FreeTooEarly.class).requireSeen();
    }

    @Test
    void a_lookup_beside_an_l1_table_that_moves_finds_what_is_not_yet_durable() {
        new Interleavings(ImageClusters.class, Clusters.class)
                .costly()
                .first(call("link", 0))
                .thread(call("isLinked", 0))
                .thread(call("grow"))
                .last(call("isLinked", 0), call("checkpoint"), call("checkpoint"), call("leaks"))
                .explore();
    }
}
