package io.qfuse.qcow2.data;

import io.qfuse.qcow2.alloc.ClusterAllocator;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.map.EntrySpan;

/**
 * Replaces entries and gives up what they referred to, in this order: a checkpoint that cuts a free must find it unlinked
 * when it captures the tables after that.
 */
final class OldClusters {

    private final ClusterAllocator allocator;
    private final Geometry geometry;

    OldClusters(ImageParts image) {
        this.allocator = image.allocator();
        this.geometry = image.geometry();
    }

    /** Replaces an entry, and gives up the clusters that the old one named. */
    void replace(EntrySpan span, int index, long descriptor, long bitmap, boolean punch) {
        long old = span.descriptor(index);
        span.set(index, descriptor, bitmap);
        if (L2Entry.isCompressed(old)) {
            long start = L2Entry.streamOffset(old, geometry.clusterBits());
            long end = start + L2Entry.streamLength(old, geometry.clusterBits());
            long clusters = geometry.clusterIndex(end - 1) - geometry.clusterIndex(start) + 1;
            allocator.free(geometry.clusterStart(start), clusters, punch);
        } else if (L2Entry.hostOffset(old) != 0) {
            allocator.free(L2Entry.hostOffset(old), 1, punch);
        }
    }
}
