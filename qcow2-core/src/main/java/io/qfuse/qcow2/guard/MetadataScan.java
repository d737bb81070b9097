package io.qfuse.qcow2.guard;

import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderExtension;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.format.Limits;
import io.qfuse.qcow2.format.RefcountTableEntry;
import io.qfuse.qcow2.format.SnapshotRecord;
import io.qfuse.qcow2.guard.FixedRegions.Region;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.LongUnaryOperator;

/** Finds where the metadata of an image lie, by one pass over its L1 table and its refcount table. */
public final class MetadataScan {

    private static final int PIECE = 64 << 10;

    private final HostFile file;
    private final Header header;
    private final Geometry geometry;

    private MetadataScan(HostFile file, Header header) {
        this.file = file;
        this.header = header;
        this.geometry = header.geometry();
    }

    /**
     * The metadata of an image that is opened for writing, and has not been written yet.
     *
     * @param snapshots what its snapshot table says
     * @param snapshotTableLength bytes of that table
     */
    public static MetadataClusters read(
            HostFile file, Header header, Health health, List<SnapshotRecord> snapshots, long snapshotTableLength)
            throws IOException {
        MetadataScan scan = new MetadataScan(file, header);
        FixedRegions fixed = new FixedRegions(scan.fixed(snapshots, snapshotTableLength));
        MetadataClusters found = new MetadataClusters(health, scan.geometry, fixed, file.size());
        scan.tables(found);
        return found;
    }

    /** Those of an image that is never written: nobody asks. */
    public static MetadataClusters none(Header header, Health health) {
        return new MetadataClusters(health, header.geometry(), FixedRegions.NONE, 0);
    }

    private List<Region> fixed(List<SnapshotRecord> snapshots, long snapshotTableLength) {
        List<Region> regions = new ArrayList<>();
        if (!snapshots.isEmpty()) {
            regions.add(region(header.snapshotsOffset(), snapshotTableLength, MetadataRole.SNAPSHOT_TABLE));
        }
        for (SnapshotRecord snapshot : snapshots) {
            regions.add(region(snapshot.l1Offset(), Long.BYTES * snapshot.l1Size(), MetadataRole.INACTIVE_L1));
        }
        Optional<byte[]> crypto = header.extension(HeaderExtension.CRYPTO);
        if (crypto.isPresent()) {
            ByteBuffer fields = ByteBuffer.wrap(crypto.get());
            regions.add(region(fields.getLong(), fields.getLong(), MetadataRole.CRYPTO_HEADER));
        }
        return regions;
    }

    private Region region(long offset, long length, MetadataRole role) {
        return Region.of(geometry, offset, length, role);
    }

    private void tables(MetadataClusters found) throws IOException {
        found.found(MetadataRole.HEADER, 0, 1);
        long l1Bytes = (long) Long.BYTES * header.l1Size();
        range(found, MetadataRole.L1, header.l1Offset(), l1Bytes);
        long refcountBytes = geometry.clusterOffset(header.refcountTableClusters());
        range(found, MetadataRole.REFCOUNT_TABLE, header.refcountTableOffset(), refcountBytes);
        Optional<byte[]> bitmaps = header.extension(HeaderExtension.BITMAPS);
        if (bitmaps.isPresent() && (header.autoclear() & Features.BITMAPS) != 0) {
            ByteBuffer fields = ByteBuffer.wrap(bitmaps.get());
            range(found, MetadataRole.BITMAP_DIRECTORY, fields.getLong(16), fields.getLong(8));
        }
        entries(found, MetadataRole.L2, header.l1Offset(), l1Bytes, L1Entry::l2Offset);
        entries(
                found,
                MetadataRole.REFCOUNT_BLOCK,
                header.refcountTableOffset(),
                refcountBytes,
                RefcountTableEntry::blockOffset);
    }

    private void range(MetadataClusters found, MetadataRole role, long offset, long bytes) {
        found.found(role, geometry.clusterIndex(offset), geometry.clustersFor(bytes));
    }

    /** Takes note of the clusters that a table names; entries that make no sense are refused where they are used. */
    private void entries(MetadataClusters found, MetadataRole role, long table, long bytes, LongUnaryOperator decoder)
            throws IOException {
        // A table may end behind the file, but what it names does not.
        long length = Math.min(bytes, file.size() - table);
        for (long at = 0; at < length; at += PIECE) {
            byte[] piece = new byte[(int) Math.min(PIECE, bytes - at)];
            file.read(table + at, piece);
            LongBuffer entries = ByteBuffer.wrap(piece).asLongBuffer();
            while (entries.hasRemaining()) {
                long offset = decoder.applyAsLong(entries.get());
                boolean sound = geometry.offsetInCluster(offset) == 0
                        && Long.compareUnsigned(offset, Limits.MAX_HOST_OFFSET) < 0;
                if (offset != 0 && sound) {
                    found.found(role, geometry.clusterIndex(offset), 1);
                }
            }
        }
    }
}
