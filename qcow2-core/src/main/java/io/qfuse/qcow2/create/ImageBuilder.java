package io.qfuse.qcow2.create;

import io.qfuse.qcow2.CreateOptions;
import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.format.Limits;
import io.qfuse.qcow2.format.Subclusters;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * Writes a new image from its first guest cluster to its last.
 *
 * <h2>What</h2>
 *
 * Whoever has bytes for guest clusters asks for their place in the file, in ascending order of the guest clusters, and writes them
 * there whenever and by whatever thread. The builder writes the tables: an L2 table when the last guest cluster that it maps has
 * been passed, a refcount block when all clusters that it counts are given out, L1 table, refcount table and, behind a barrier, the
 * header at the end. So memory is one L2 table, a few refcount blocks and the L1 table, however large the image is.
 *
 * <h2>Why not through an open image</h2>
 *
 * An image that is open must be right at any moment; this one is not one before it has its header. Without the order of durability,
 * range locks and the search for free clusters, a place costs some additions under one lock. And only here can compressed streams be
 * packed: an open image never writes any.
 *
 * <h2>Invariants</h2>
 *
 * <ol>
 *   <li>Places are given out in the order of the guest clusters, so the file does not depend on who writes how fast.
 *   <li>A stream begins where the one before it has ended, unless the clusters between are taken or the count of the cluster that
 *       both would share is as high as it can be (format notes, section 6).
 * </ol>
 *
 * <p>Thread-safe.
 */
public final class ImageBuilder {

    private static final int ENTRY = 8;

    private final HostFile file;
    private final Path path;
    private final CreateOptions options;
    private final long size;
    private final Geometry geometry;
    private final RefcountWriter clusters;
    private final ByteBuffer l1;
    private final long l1Offset;
    private final ByteBuffer l2;
    private int l2Index = -1; // which L1 entry the L2 table in memory belongs to
    private long streamEnd; // the first byte behind the last stream; 0 for none

    /**
     * Begins an image.
     *
     * @param file an empty file
     * @param options what it is to be like: its size given, without preallocation or data file
     * @param path where it is to be, for messages
     * @throws Qcow2Exception of kind UNSUPPORTED where the format cannot hold it
     */
    public ImageBuilder(HostFile file, CreateOptions options, Path path) throws IOException {
        this.file = file;
        this.path = path;
        this.options = options;
        this.geometry = new Geometry(
                Integer.numberOfTrailingZeros(options.clusterSize()),
                Integer.numberOfTrailingZeros(options.refcountBits()),
                options.extendedL2());
        NewImage.requirePossible(options, geometry, path);
        this.size = (options.size() + Geometry.SECTOR - 1) & -Geometry.SECTOR;
        this.clusters = new RefcountWriter(file, geometry);
        this.l1 = ByteBuffer.allocate(geometry.l1SizeFor(size) * ENTRY);
        this.l2 = ByteBuffer.allocate(geometry.clusterSize());
        clusters.take(1); // the header's
        this.l1Offset = l1.capacity() == 0 ? 0 : clusters.take(geometry.clustersFor(l1.capacity()));
    }

    /** Bytes of a cluster. */
    public int clusterSize() {
        return geometry.clusterSize();
    }

    /**
     * Places guest clusters whose bytes are stored as they are, behind each other.
     *
     * @param guest where the first of them begins, behind all that were placed before
     * @param count how many; they share an L2 table
     * @return the host offset where their bytes go
     */
    public synchronized long placeData(long guest, int count) throws IOException {
        moveTo(guest);
        long host = clusters.take(count);
        for (int i = 0; i < count; i++) {
            setEntry(
                    guest + geometry.clusterOffset(i),
                    L2Entry.data(host + geometry.clusterOffset(i)),
                    Subclusters.allocated(0, Subclusters.COUNT));
        }
        return host;
    }

    /** How many clusters from a guest offset on share an L2 table. */
    public int clustersInTable(long guest) {
        return geometry.l2Entries() - geometry.l2Index(guest);
    }

    /**
     * Places a guest cluster that is stored compressed.
     *
     * @param guest where it begins, behind all that were placed before
     * @param length bytes of its stream, fewer than a cluster has
     * @return the host offset where the stream goes
     */
    public synchronized long placeStream(long guest, int length) throws IOException {
        moveTo(guest);
        long host = streamPlace(length);
        streamEnd = host + length;
        setEntry(guest, L2Entry.compressed(host, length, geometry.clusterBits()), 0);
        return host;
    }

    private long streamPlace(int length) throws IOException {
        int left = (int) (geometry.clusterCeiling(streamEnd) - streamEnd);
        boolean fits = length <= left;
        boolean adjacent = geometry.clusterCeiling(streamEnd) == geometry.clusterOffset(clusters.clusters());
        if (left > 0 && (fits || adjacent) && clusters.share(geometry.clusterIndex(streamEnd))) {
            if (!fits) {
                clusters.take(1);
            }
            return streamEnd;
        }
        return clusters.take(1);
    }

    /** Says of whole guest clusters, behind all that were placed before, that they are zeroes; version 3 only. */
    public synchronized void placeZeroes(long guest, long length) throws IOException {
        for (long at = guest; at < guest + length; at += geometry.clusterSize()) {
            moveTo(at);
            setEntry(at, geometry.subclusters() > 1 ? 0 : L2Entry.ZERO, Subclusters.zero(0, Subclusters.COUNT));
        }
    }

    private void setEntry(long guest, long entry, long bitmap) {
        int at = geometry.l2Index(guest) * geometry.l2EntrySize();
        l2.putLong(at, entry);
        if (geometry.subclusters() > 1) {
            l2.putLong(at + ENTRY, bitmap);
        }
    }

    private void moveTo(long guest) throws IOException {
        int index = geometry.l1Index(guest);
        if (index == l2Index) {
            return;
        }
        if (index < l2Index) {
            throw new IllegalArgumentException("guest offset " + guest + " lies behind what was placed before");
        }
        writeL2();
        l2Index = index;
    }

    private void writeL2() throws IOException {
        if (l2Index >= 0) {
            long host = clusters.take(1);
            file.write(host, l2.array(), 0, l2.capacity());
            l1.putLong(l2Index * ENTRY, L1Entry.of(host));
            Arrays.fill(l2.array(), (byte) 0);
        }
    }

    /** Writes what is left of the tables, and behind a barrier the header; durable on return. All bytes have been written before. */
    public synchronized void finish() throws IOException {
        writeL2();
        RefcountWriter.TablePlace table = clusters.finish();
        if (table.clusters() > Limits.MAX_REFCOUNT_TABLE_BYTES >>> geometry.clusterBits()) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED,
                    path,
                    "the disk needs more space than clusters of " + options.clusterSize() + " bytes can have");
        }
        file.write(l1Offset, l1.array(), 0, l1.capacity());
        file.truncate(geometry.clusterOffset(clusters.clusters()));
        file.sync();
        NewHeader.Tables tables =
                new NewHeader.Tables(l1.capacity() / ENTRY, l1Offset, table.offset(), table.clusters());
        byte[] header = NewHeader.of(options.withSize(size), size, tables, path);
        file.write(0, header, 0, header.length);
        file.sync();
    }
}
