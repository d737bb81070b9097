package io.qfuse.qcow2.data;

import io.qfuse.cache.ClusterCache;
import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.codec.DecompressException;
import io.qfuse.qcow2.codec.Decompressor;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.io.BufferPool;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import java.io.IOException;

/**
 * Clusters that are stored compressed (format notes, section 6).
 *
 * <p>A cluster that is wanted whole is decompressed to where it is wanted. One that is wanted in part goes through a
 * small cache of whole clusters, since the rest is likely to be wanted next; large reads pass the cache by, so that a scan
 * leaves it as it is.
 *
 * <h2>Why the cache never holds what an entry meant before</h2>
 *
 * A cached cluster is found by its raw L2 entry. A stream is never rewritten, but once nobody refers to it its clusters
 * come free, and the same entry may be made again for another stream.
 *
 * <ol>
 *   <li>Whoever reads a stream, or puts its cluster into the cache, holds a guest cluster whose entry names it, shared at
 *       least: the stream's host clusters are counted, and nobody else's.
 *   <li>Whoever replaces such an entry holds the guest cluster exclusively, and drops the cached cluster ({@link #drop})
 *       before the stream is given up. Readers by that guest cluster are done by then.
 *   <li>So when the last entry that names a stream is gone, its cluster is in no cache and nobody can put it there.
 * </ol>
 *
 * <p>Thread-safe.
 */
public final class CompressedClusters {

    private final HostFile file;
    private final Geometry geometry;
    private final Decompressor decompressor;
    private final ClusterCache cache;
    private final BufferPool buffers;

    /** The compressed clusters of one image. */
    public CompressedClusters(
            HostFile file, Geometry geometry, Decompressor decompressor, ClusterCache cache, BufferPool buffers) {
        this.file = file;
        this.geometry = geometry;
        this.decompressor = decompressor;
        this.cache = cache;
        this.buffers = buffers;
    }

    /** Copies a part of a cluster's bytes; {@code entry} is its raw L2 entry. */
    void readPart(long entry, int from, long address, int length) throws IOException {
        NativeBuffer.put(address, cache.get(this, entry, this::load), from, length);
    }

    /** Copies a whole cluster's bytes where they are in the cache. */
    boolean readCached(long entry, long address) {
        byte[] cluster = cache.peek(this, entry);
        if (cluster == null) {
            return false;
        }
        NativeBuffer.put(address, cluster, 0, cluster.length);
        return true;
    }

    /** Fills memory with a whole cluster's bytes, and leaves the cache as it is. */
    void readWhole(long entry, long address) throws IOException {
        long offset = L2Entry.streamOffset(entry, geometry.clusterBits());
        int length = L2Entry.streamLength(entry, geometry.clusterBits());
        try (NativeBuffer stream = buffers.take(length)) {
            file.read(offset, stream.address(), length);
            decompressor.decompress(stream.address(), length, address, geometry.clusterSize());
        } catch (DecompressException e) {
            // Guest data, not metadata: only whoever reads this cluster is told.
            throw new Qcow2Exception(
                    Kind.MALFORMED,
                    file.path(),
                    "compressed cluster at 0x" + Long.toHexString(offset) + " cannot be read: " + e.getMessage());
        }
    }

    private byte[] load(long entry) throws IOException {
        byte[] cluster = new byte[geometry.clusterSize()];
        try (NativeBuffer whole = buffers.take(cluster.length)) {
            readWhole(entry, whole.address());
            NativeBuffer.get(whole.address(), cluster, 0, cluster.length);
        }
        return cluster;
    }

    /** Forgets the cluster of an entry that is being replaced; the caller holds its guest cluster exclusively. */
    void drop(long entry) {
        cache.drop(this, entry);
    }

    /** Whether so many bytes of a cluster are the whole of it. */
    boolean isWhole(int length) {
        return length == geometry.clusterSize();
    }
}
