package io.qfuse.qcow2.bitmap;

import static io.qfuse.qcow2.format.BitmapTableEntry.ALL_ONES;
import static io.qfuse.qcow2.format.BitmapTableEntry.ALL_ZEROES;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.alloc.ClusterAllocator;
import io.qfuse.qcow2.alloc.HostRun;
import io.qfuse.qcow2.format.BitmapTableEntry;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.List;

/** The clusters of one bitmap on their way from how they were found to how they are left. */
final class StoredBitmap {

    private final HostFile file;
    private final Geometry geometry;
    private final ClusterAllocator allocator;
    private final TrackedBitmap bitmap;

    private long[] table = {};
    private long tableOffset;
    /** Clusters that were taken and that no table names yet. */
    private final List<HostRun> taken = new ArrayList<>();
    /** Clusters that no table will name any more. */
    private final List<HostRun> old = new ArrayList<>();

    StoredBitmap(HostFile file, Geometry geometry, ClusterAllocator allocator, TrackedBitmap bitmap) {
        this.file = file;
        this.geometry = geometry;
        this.allocator = allocator;
        this.bitmap = bitmap;
        this.tableOffset = bitmap.record().tableOffset();
    }

    TrackedBitmap bitmap() {
        return bitmap;
    }

    long tableOffset() {
        return tableOffset;
    }

    /** Entries of the new table. */
    long tableSize() {
        return bitmap.bits().isChanged() ? table.length : bitmap.record().tableSize();
    }

    boolean hasMoved() {
        return tableOffset != bitmap.record().tableOffset();
    }

    /** Writes the bits, and finds a place for the table; a failure leaves nothing taken. */
    void writeBits() throws IOException {
        if (!bitmap.bits().isChanged()) {
            return;
        }
        long bytes = (bitmap.bits().size() + Byte.SIZE - 1) / Byte.SIZE;
        if (bytes == 0) {
            throw new Qcow2Exception(Kind.UNSUPPORTED, file.path(), "a disk of 0 bytes has no bitmaps");
        }
        try {
            table = new long[(int) geometry.clustersFor(bytes)];
            placeTable();
            writeClusters();
        } catch (IOException e) {
            for (HostRun run : taken) {
                allocator.abandon(run);
            }
            throw e;
        }
    }

    private void placeTable() throws IOException {
        int before = tableClusters(bitmap.record().tableSize());
        int after = tableClusters(table.length);
        for (int i = 0; i < before; i++) {
            if (!allocator.isSole(tableOffset + geometry.clusterOffset(i))) {
                throw new Qcow2Exception(
                        Kind.CORRUPT,
                        file.path(),
                        "its table at 0x" + Long.toHexString(tableOffset) + " is not its own");
            }
        }
        if (after > before) {
            old.add(new HostRun(tableOffset, before, false));
            HostRun place = allocator.allocateAdjacent(after);
            taken.add(place);
            tableOffset = place.offset();
        } else if (after < before) {
            old.add(new HostRun(tableOffset + geometry.clusterOffset(after), before - after, false));
        }
    }

    private int tableClusters(long entries) {
        return (int) geometry.clustersFor(entries * Long.BYTES);
    }

    private void writeClusters() throws IOException {
        long[] before = BitmapTable.read(
                file, bitmap.record().tableOffset(), (int) bitmap.record().tableSize());
        byte[] cluster = new byte[geometry.clusterSize()];
        for (int i = 0; i < Math.max(table.length, before.length); i++) {
            long host = i < before.length ? BitmapTableEntry.hostOffset(before[i]) : 0;
            if (i < table.length) {
                table[i] = writeCluster(i, host, cluster);
            }
            if (host != 0 && (i >= table.length || table[i] != host)) {
                old.add(new HostRun(host, 1, false));
            }
        }
    }

    /** Writes one cluster of bits and returns the table's entry for it. */
    private long writeCluster(int index, long host, byte[] cluster) throws IOException {
        LongBuffer words =
                ByteBuffer.wrap(cluster).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer();
        long first = (long) index * words.capacity();
        long ones = 0;
        for (int i = 0; i < words.capacity(); i++) {
            long word = bitmap.bits().word(first + i);
            words.put(i, word);
            ones += Long.bitCount(word);
        }
        if (ones == 0) {
            return ALL_ZEROES;
        }
        if (ones == Math.min((long) words.capacity() * Long.SIZE, bitmap.bits().size() - first * Long.SIZE)) {
            return ALL_ONES;
        }
        long place = host != 0 && allocator.isSole(host) ? host : take();
        file.write(place, cluster, 0, cluster.length);
        return place;
    }

    private long take() throws IOException {
        HostRun run = allocator.allocate(1);
        taken.add(run);
        return run.offset();
    }

    /** Writes the table. After a failure nobody knows what it names, so the new clusters stay counted. */
    void writeTable() throws IOException {
        if (bitmap.bits().isChanged()) {
            BitmapTable.write(file, tableOffset, table, geometry.clusterSize());
        }
    }

    /**
     * Gives up the clusters that no durable table names any more. What somebody else names too was not the bitmap's: it
     * is left as it is.
     */
    void giveUpOld() throws IOException {
        for (HostRun run : old) {
            for (int i = 0; i < run.clusters(); i++) {
                long offset = run.offset() + geometry.clusterOffset(i);
                if (allocator.isSole(offset)) {
                    allocator.free(offset, 1, false);
                }
            }
        }
    }
}
