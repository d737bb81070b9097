package io.qfuse.qcow2.alloc;

import io.qfuse.cache.Slice;
import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.Limits;
import io.qfuse.qcow2.format.RefcountTableEntry;
import io.qfuse.qcow2.format.RefcountWidth;
import io.qfuse.qcow2.guard.Health;
import io.qfuse.qcow2.guard.MetadataClusters;
import io.qfuse.qcow2.guard.MetadataRole;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.table.Rank;
import io.qfuse.qcow2.table.Tables;
import java.io.IOException;
import java.util.HashSet;
import java.util.Set;

/**
 * The count of references to each host cluster: refcount table, blocks and their growth (format notes, section 7).
 *
 * <ol>
 *   <li>A block's own clusters are counted before the table names it; a table's before the header does.
 *   <li>A count never wraps: what would not fit is refused.
 *   <li>A table that moves gives its old clusters to the pending frees.
 *   <li>What becomes a block or a table is claimed as such before it is written; what nobody counts is metadata no more.
 * </ol>
 *
 * <p>Not thread-safe; the allocator's lock guards it.
 */
final class Refcounts {

    /** The largest refcount table that QEMU opens, in bytes. */
    private static final long MAX_TABLE_BYTES = 8L << 20;

    private static final long MAX_ENTRIES = MAX_TABLE_BYTES / Tables.ENTRY;

    private final HostFile file;
    private final Tables tables;
    private final Geometry geometry;
    private final Health health;
    private final MetadataClusters metadata;
    private final RefcountWidth width;
    private final long maxCount;

    private RefcountTableLocation location;

    Refcounts(HostFile file, Tables tables, Header header, Health health, MetadataClusters metadata) {
        this.file = file;
        this.tables = tables;
        this.geometry = header.geometry();
        this.health = health;
        this.metadata = metadata;
        this.width = new RefcountWidth(geometry.refcountOrder());
        this.maxCount = width.extract(-1L, 0);
        this.location = new RefcountTableLocation(header.refcountTableOffset(), header.refcountTableClusters());
    }

    RefcountTableLocation location() {
        return location;
    }

    /** Whether the cluster's count is kept anywhere; where it is not, it is 0. */
    boolean isCovered(long cluster) throws IOException {
        return blockOf(cluster) != 0;
    }

    long get(long cluster) throws IOException {
        long block = blockOf(cluster);
        return block == 0 ? 0 : read(tables.slice(sliceOf(block, cluster), Rank.REFCOUNT_BLOCK), indexInSlice(cluster));
    }

    /**
     * The first cluster at or behind {@code from} whose count is 0; those without a block are free too. A block that the table
     * names twice is refused: else one full block could make the search as long as the table likes.
     */
    long findFree(long from) throws IOException {
        Set<Long> passed = new HashSet<>();
        int perSlice = geometry.refcountsPerSlice();
        long end = tableEntries() * geometry.refcountsPerBlock();
        long cluster = from;
        while (cluster < end) {
            long block = blockOf(cluster);
            if (block == 0) {
                return cluster;
            }
            if (geometry.refcountBlockIndex(cluster) == 0 && !passed.add(block)) {
                throw health.corrupt(
                        "refcount block 0x" + Long.toHexString(block) + " occurs twice in the refcount table");
            }
            Slice slice = tables.slice(sliceOf(block, cluster), Rank.REFCOUNT_BLOCK);
            for (int i = indexInSlice(cluster); i < perSlice; i++, cluster++) {
                if (read(slice, i) == 0) {
                    return cluster;
                }
            }
        }
        return cluster;
    }

    /** Raises the count of a covered cluster from 0 to 1. */
    void take(long cluster) throws IOException {
        change(cluster, 1);
    }

    /** Lowers one cluster's count by one and returns what is left. */
    long drop(long cluster) throws IOException {
        long left = change(cluster, -1);
        if (left == 0) {
            metadata.forget(cluster, 1);
        }
        return left;
    }

    /**
     * Makes the count of a cluster be kept; returns false where it already was.
     *
     * @param room a cluster of count 0 that is covered, for the new block; negative where none is known
     */
    boolean cover(long cluster, long room, PendingFrees frees) throws IOException {
        if (isCovered(cluster)) {
            return false;
        }
        long index = geometry.refcountTableIndex(cluster);
        if (index >= tableEntries()) {
            grow(index, frees);
            return true;
        }
        if (room >= 0) {
            metadata.requireFree(room, 1);
            take(room);
            try {
                metadata.claim(MetadataRole.REFCOUNT_BLOCK, room, 1);
                clearBlock(room);
                link(index, room);
            } catch (IOException e) {
                forget(room, 1);
                frees.add(geometry.clusterOffset(room), 1, false);
                throw e;
            }
        } else {
            // Nobody refers to a cluster of this range: this one holds the block and counts itself.
            metadata.claim(MetadataRole.REFCOUNT_BLOCK, cluster, 1);
            try {
                clearBlock(cluster);
                setCount(geometry.clusterOffset(cluster), cluster, 1);
                link(index, cluster);
            } catch (IOException e) {
                forget(cluster, 1);
                throw e;
            }
        }
        return true;
    }

    /** Ends an attempt to make tables of some clusters: nothing of them stays in memory that could be written there later. */
    private void forget(long cluster, long count) throws IOException {
        tables.drop(geometry.clusterOffset(cluster), geometry.clusterOffset(count));
        metadata.forget(cluster, count);
    }

    /**
     * Moves the table to a larger one that lies, with the blocks that count it, where the old table could not count:
     * nobody can refer to clusters there.
     */
    private void grow(long index, PendingFrees frees) throws IOException {
        int perBlock = geometry.refcountsPerBlock();
        long perTableCluster = geometry.clusterSize() / Tables.ENTRY;
        long first = Math.max(index, tableEntries()) * perBlock;
        long blocks = 1;
        long tableClusters;
        for (; ; ) {
            long entries = Math.max(
                    Math.min(tableEntries() * 3 / 2, MAX_ENTRIES), geometry.refcountTableIndex(first) + blocks + 1);
            tableClusters = (entries + perTableCluster - 1) / perTableCluster;
            long needed = (blocks + tableClusters + perBlock - 1) / perBlock;
            if (needed <= blocks) {
                break;
            }
            blocks = needed;
        }
        if (tableClusters * geometry.clusterSize() > MAX_TABLE_BYTES) {
            throw new Qcow2Exception(Kind.NO_SPACE, file.path(), "refcount table at its limit of 8 MiB");
        }
        long oldBytes = geometry.clusterOffset(location.clusters());
        metadata.requireAlone(MetadataRole.REFCOUNT_TABLE, location.offset(), oldBytes);
        metadata.claim(MetadataRole.REFCOUNT_BLOCK, first, blocks);
        metadata.claim(MetadataRole.REFCOUNT_TABLE, first + blocks, tableClusters);
        try {
            fill(first, blocks, tableClusters);
        } catch (IOException e) {
            forget(first, blocks + tableClusters);
            throw e;
        }
        tables.drop(location.offset(), oldBytes);
        frees.add(location.offset(), location.clusters(), false);
        location = new RefcountTableLocation(geometry.clusterOffset(first + blocks), Math.toIntExact(tableClusters));
    }

    /** Writes new blocks that count themselves and the new table behind them, which names them and all older ones. */
    private void fill(long first, long blocks, long tableClusters) throws IOException {
        long firstIndex = geometry.refcountTableIndex(first);
        long newTable = geometry.clusterOffset(first + blocks);
        tables.clear(geometry.clusterOffset(first), (blocks + tableClusters) * geometry.clusterSize());
        for (long c = first; c < first + blocks + tableClusters; c++) {
            long block = geometry.clusterOffset(first + geometry.refcountTableIndex(c) - firstIndex);
            setCount(block, c, 1);
        }
        for (long i = 0; i < tableEntries(); i++) {
            long entry = tables.get(location.offset() + i * Tables.ENTRY, Rank.REFCOUNT_TABLE);
            if (entry != 0) {
                tables.set(newTable + i * Tables.ENTRY, entry, Rank.REFCOUNT_TABLE);
            }
        }
        for (long b = 0; b < blocks; b++) {
            long entry = geometry.clusterOffset(first + b);
            tables.set(newTable + (firstIndex + b) * Tables.ENTRY, entry, Rank.REFCOUNT_TABLE);
        }
    }

    private void clearBlock(long cluster) throws IOException {
        tables.clear(geometry.clusterOffset(cluster), geometry.clusterSize());
    }

    private void link(long index, long blockCluster) throws IOException {
        tables.set(location.offset() + index * Tables.ENTRY, geometry.clusterOffset(blockCluster), Rank.REFCOUNT_TABLE);
    }

    private long tableEntries() {
        return (long) location.clusters() * geometry.clusterSize() / Tables.ENTRY;
    }

    private long blockOf(long cluster) throws IOException {
        long index = geometry.refcountTableIndex(cluster);
        if (index >= tableEntries()) {
            return 0;
        }
        long block = RefcountTableEntry.blockOffset(
                tables.get(location.offset() + index * Tables.ENTRY, Rank.REFCOUNT_TABLE));
        if (geometry.offsetInCluster(block) != 0 || Long.compareUnsigned(block, Limits.MAX_HOST_OFFSET) >= 0) {
            throw health.corrupt("entry " + index + " of the refcount table at 0x" + Long.toHexString(location.offset())
                    + " is unaligned or beyond 2^56: 0x" + Long.toHexString(block));
        }
        return block;
    }

    private long sliceOf(long block, long cluster) {
        int slice = geometry.refcountBlockIndex(cluster) / geometry.refcountsPerSlice();
        return block + (long) slice * geometry.sliceSize();
    }

    private int indexInSlice(long cluster) {
        return geometry.refcountBlockIndex(cluster) & (geometry.refcountsPerSlice() - 1);
    }

    private long change(long cluster, int delta) throws IOException {
        long block = blockOf(cluster);
        long old = block == 0
                ? 0
                : read(tables.slice(sliceOf(block, cluster), Rank.REFCOUNT_BLOCK), indexInSlice(cluster));
        if (delta < 0 && old == 0) {
            throw health.corrupt("cluster 0x" + Long.toHexString(geometry.clusterOffset(cluster))
                    + " was given up but its refcount is 0 already");
        }
        if (delta > 0 && old == maxCount) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED,
                    file.path(),
                    "refcount of cluster 0x" + Long.toHexString(geometry.clusterOffset(cluster)) + " is at its most");
        }
        setCount(block, cluster, old + delta);
        return old + delta;
    }

    private void setCount(long block, long cluster, long count) throws IOException {
        Slice slice = tables.pin(sliceOf(block, cluster), Rank.REFCOUNT_BLOCK);
        try {
            write(slice, indexInSlice(cluster), count);
        } finally {
            tables.unpin(slice);
        }
    }

    private long read(Slice slice, int index) {
        return width.extract(slice.getLong(width.wordOf(index)), index);
    }

    private void write(Slice slice, int index, long count) {
        int word = width.wordOf(index);
        slice.setLong(word, width.insert(slice.getLong(word), index, count));
    }
}
