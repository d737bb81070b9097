package io.qfuse.qcow2.data;

import io.qfuse.qcow2.Layer;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.io.BufferPool;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.map.ClusterMap;
import io.qfuse.qcow2.map.RangeLock;
import io.qfuse.qcow2.store.DataClusters;
import io.qfuse.qcow2.store.GuestData;
import org.jspecify.annotations.Nullable;

/**
 * What the operations on one image share.
 *
 * @param version the image's version, 2 or 3: only 3 has zero clusters
 * @param geometry its sizes
 * @param file the image's file
 * @param data where guest bytes are stored
 * @param map from guest to host clusters
 * @param clusters host clusters for guest bytes
 * @param locks the holds over guest clusters
 * @param buffers memory for copies
 * @param compressed reads compressed clusters
 * @param backing what shows through unallocated clusters, or null
 */
public record ImageParts(
        int version,
        Geometry geometry,
        HostFile file,
        GuestData data,
        ClusterMap map,
        DataClusters clusters,
        RangeLock locks,
        BufferPool buffers,
        CompressedClusters compressed,
        @Nullable Layer backing) {

    /** The same file seen through another map, under other holds: for reading only. */
    public ImageParts over(ClusterMap other, RangeLock holds) {
        return new ImageParts(version, geometry, file, data, other, clusters, holds, buffers, compressed, backing);
    }

    /** Whether clusters can say that they are zero. */
    boolean hasZeroClusters() {
        return version >= 3;
    }

    /** Whether bytes of an unallocated run from {@code guest} on come from the backing layer; else they are zeroes. */
    boolean isBacked(long guest) {
        Layer below = backing;
        return below != null && guest < below.size();
    }

    /** Holds the clusters of a range for reading and for writing in place. */
    void lockShared(long guest, long length) {
        locks.lockShared(geometry.clusterIndex(guest), geometry.clusterIndex(guest + length - 1));
    }

    /** Ends {@link #lockShared}. */
    void unlockShared(long guest, long length) {
        locks.unlockShared(geometry.clusterIndex(guest), geometry.clusterIndex(guest + length - 1));
    }

    /** Holds the clusters of a range for changing where they are. */
    void lockExclusive(long guest, long length) {
        locks.lockExclusive(geometry.clusterIndex(guest), geometry.clusterIndex(guest + length - 1));
    }

    /** Ends {@link #lockExclusive}. */
    void unlockExclusive(long guest, long length) {
        locks.unlockExclusive(geometry.clusterIndex(guest), geometry.clusterIndex(guest + length - 1));
    }
}
