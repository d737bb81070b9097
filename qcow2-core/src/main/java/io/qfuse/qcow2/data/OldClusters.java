package io.qfuse.qcow2.data;

import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.map.EntrySpan;
import io.qfuse.qcow2.store.DataClusters;
import java.io.IOException;

/**
 * Replaces entries and gives up what they referred to, in this order: a checkpoint that cuts a free must find it unlinked
 * when it captures the tables after that.
 */
final class OldClusters {

    private final DataClusters host;
    private final Geometry geometry;
    private final CompressedClusters compressed;

    OldClusters(ImageParts image) {
        this.host = image.clusters();
        this.geometry = image.geometry();
        this.compressed = image.compressed();
    }

    /** Replaces an entry, and gives up the clusters that the old one named. */
    void replace(EntrySpan span, int index, long descriptor, long bitmap, boolean punch) throws IOException {
        long old = span.descriptor(index);
        long first = L2Entry.hostOffset(old);
        long clusters = first == 0 ? 0 : 1;
        if (L2Entry.isCompressed(old)) {
            compressed.drop(old);
            long start = L2Entry.streamOffset(old, geometry.clusterBits());
            long end = start + L2Entry.streamLength(old, geometry.clusterBits());
            first = geometry.clusterStart(start);
            clusters = geometry.clusterIndex(end - 1) - geometry.clusterIndex(start) + 1;
        }
        if (clusters > 0) {
            host.requireFreeable(first, clusters);
        }
        span.set(index, descriptor, bitmap);
        if (clusters > 0) {
            host.free(first, clusters, punch);
        }
    }
}
