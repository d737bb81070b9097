package io.qfuse.qcow2.alloc;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.guard.Health;

/**
 * Where the tables lie that all others hang on. On an image whose refcounts are damaged they may look free; giving them
 * out would overwrite what a repair needs.
 *
 * <p>Not thread-safe; the allocator's lock guards it.
 */
final class MetadataRegions {

    private record Region(String name, long first, long clusters) {

        boolean meets(long otherFirst, long otherClusters) {
            return first < otherFirst + otherClusters && otherFirst < first + clusters;
        }
    }

    private final Geometry geometry;
    private final Health health;
    private final Region header = new Region("header", 0, 1);
    private Region refcountTable;
    private Region l1Table;

    MetadataRegions(Geometry geometry, Health health, Header header) {
        this.geometry = geometry;
        this.health = health;
        this.refcountTable = refcountTable(header.refcountTableOffset(), header.refcountTableClusters());
        this.l1Table = l1Table(header.l1Offset(), header.l1Size());
    }

    private Region refcountTable(long offset, long clusters) {
        return new Region("refcount table", geometry.clusterIndex(offset), clusters);
    }

    private Region l1Table(long offset, int entries) {
        return new Region("L1 table", geometry.clusterIndex(offset), geometry.clustersFor((long) Long.BYTES * entries));
    }

    void moveRefcountTable(RefcountTableLocation location) {
        refcountTable = refcountTable(location.offset(), location.clusters());
    }

    void moveL1(long offset, int entries) {
        l1Table = l1Table(offset, entries);
    }

    /** Refuses clusters that count as free and hold one of the tables; the image is not written any more then. */
    void requireUnused(long first, long clusters) throws Qcow2Exception {
        for (Region region : new Region[] {header, refcountTable, l1Table}) {
            if (region.meets(first, clusters)) {
                throw health.corrupt("refcounts from cluster 0x" + Long.toHexString(geometry.clusterOffset(first))
                        + " on are 0, but the " + region.name() + " lies there");
            }
        }
    }
}
