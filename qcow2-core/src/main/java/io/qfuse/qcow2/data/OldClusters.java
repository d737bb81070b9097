package io.qfuse.qcow2.data;

import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.map.EntrySpan;
import io.qfuse.qcow2.store.DataClusters;

/**
 * Replaces entries and gives up what they referred to, in this order: a checkpoint that cuts a free must find it unlinked
 * when it captures the tables after that.
 */
final class OldClusters {

    private final DataClusters host;
    private final Geometry geometry;

    OldClusters(ImageParts image) {
        this.host = image.clusters();
        this.geometry = image.geometry();
    }

    /** Replaces an entry, and gives up the clusters that the old one named. */
    void replace(EntrySpan span, int index, long descriptor, long bitmap, boolean punch) {
        long old = span.descriptor(index);
        span.set(index, descriptor, bitmap);
        if (L2Entry.isCompressed(old)) {
            long start = L2Entry.streamOffset(old, geometry.clusterBits());
            long end = start + L2Entry.streamLength(old, geometry.clusterBits());
            long touched = geometry.clusterIndex(end - 1) - geometry.clusterIndex(start) + 1;
            host.free(geometry.clusterStart(start), touched, punch);
        } else if (L2Entry.hostOffset(old) != 0) {
            host.free(L2Entry.hostOffset(old), 1, punch);
        }
    }
}
