package io.qfuse.qcow2.data;

import io.qfuse.cache.ClusterCache;
import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.codec.DecompressException;
import io.qfuse.qcow2.codec.Decompressor;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import java.io.IOException;

/**
 * Reads clusters that are stored compressed (format notes, section 6), through a small cache of whole clusters. A cached
 * cluster is found by its entry, which names the same bytes as long as anyone refers to it: streams are never rewritten.
 * Thread-safe.
 */
public final class CompressedClusters {

    private final HostFile file;
    private final Geometry geometry;
    private final Decompressor decompressor;
    private final ClusterCache cache;

    /** The compressed clusters of one image. */
    public CompressedClusters(HostFile file, Geometry geometry, Decompressor decompressor, ClusterCache cache) {
        this.file = file;
        this.geometry = geometry;
        this.decompressor = decompressor;
        this.cache = cache;
    }

    /** Copies a part of a cluster's bytes; {@code entry} is its raw L2 entry. */
    void read(long entry, int from, long address, int length) throws IOException {
        NativeBuffer.put(address, cache.get(this, entry, this::load), from, length);
    }

    private byte[] load(long entry) throws IOException {
        byte[] stream = new byte[L2Entry.streamLength(entry, geometry.clusterBits())];
        file.read(L2Entry.streamOffset(entry, geometry.clusterBits()), stream);
        byte[] cluster = new byte[geometry.clusterSize()];
        try {
            decompressor.decompress(stream, stream.length, cluster);
        } catch (DecompressException e) {
            // Guest data, not metadata: only whoever reads this cluster is told.
            throw new Qcow2Exception(
                    Kind.MALFORMED,
                    file.path(),
                    "compressed cluster at 0x" + Long.toHexString(L2Entry.streamOffset(entry, geometry.clusterBits()))
                            + " cannot be read: " + e.getMessage());
        }
        return cluster;
    }
}
