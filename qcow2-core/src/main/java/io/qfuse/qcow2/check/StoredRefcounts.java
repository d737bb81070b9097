package io.qfuse.qcow2.check;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.check.Finding.Leak;
import io.qfuse.qcow2.check.Finding.OutsideFile;
import io.qfuse.qcow2.check.Finding.RefcountTooLow;
import io.qfuse.qcow2.check.Finding.ReservedBits;
import io.qfuse.qcow2.check.Finding.SharedRefcountBlock;
import io.qfuse.qcow2.check.Finding.Unaligned;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.RefcountTableEntry;
import io.qfuse.qcow2.format.RefcountWidth;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The refcounts that the image stores. Memory: the refcount table, at most 8 MiB, and a few blocks. */
final class StoredRefcounts {

    /** What cannot be told because the table names no place where a block can be. */
    static final long UNKNOWN = -1;

    private static final int ENTRY = 8;
    private static final long BLOCK_BYTES = 4 << 20;

    private final HostFile file;
    private final Geometry geometry;
    private final RefcountWidth width;
    private final long tableOffset;
    private final ByteBuffer table;
    private final Map<Long, byte[]> blocks; // by offset, the last ones used

    StoredRefcounts(HostFile file, Header header) throws IOException {
        this.file = file;
        this.geometry = header.geometry();
        this.width = new RefcountWidth(header.refcountOrder());
        this.tableOffset = header.refcountTableOffset();
        byte[] bytes = new byte[Math.toIntExact(geometry.clusterOffset(header.refcountTableClusters()))];
        file.read(tableOffset, bytes);
        this.table = ByteBuffer.wrap(bytes);
        int kept = (int) Math.max(2, BLOCK_BYTES >> geometry.clusterBits());
        this.blocks = new LinkedHashMap<>(16, 0.75f, true) {
            @Override
            protected boolean removeEldestEntry(Map.Entry<Long, byte[]> eldest) {
                return size() > kept;
            }
        };
    }

    /** The stored refcount of a cluster, or {@link #UNKNOWN}. */
    long get(long cluster) throws IOException {
        long index = geometry.refcountTableIndex(cluster);
        long offset = index < entries() ? RefcountTableEntry.blockOffset(entry((int) index)) : 0;
        if (offset == 0) {
            return 0;
        }
        if (geometry.offsetInCluster(offset) != 0) {
            return UNKNOWN;
        }
        return width.get(block(offset), geometry.refcountBlockIndex(cluster));
    }

    /** Counts the references to table and blocks, and reports entries that cannot be right. */
    void countReferences(RefcountTally tally, CheckReport report) throws Qcow2Exception {
        tally.add("the refcount table", tableOffset, table.capacity(), 1);
        for (int i = 0; i < entries(); i++) {
            long entry = entry(i);
            long offset = RefcountTableEntry.blockOffset(entry);
            if ((entry & RefcountTableEntry.RESERVED) != 0) {
                report.add(new ReservedBits("entry " + i + " of the refcount table", entry), 1);
            } else if (geometry.offsetInCluster(offset) != 0) {
                report.add(new Unaligned("refcount block " + i, offset), 1);
            } else if (geometry.clusterIndex(offset) >= tally.clusters()) {
                report.add(new OutsideFile("refcount block " + i, offset, geometry.clusterSize()), 1);
            } else if (offset != 0) {
                tally.add("refcount block " + i, offset, geometry.clusterSize(), 1);
                long references = tally.get(geometry.clusterIndex(offset));
                if (references != 1) {
                    report.add(new SharedRefcountBlock(offset, references), 1);
                }
            }
        }
    }

    /** Reports every cluster whose stored refcount is not what was found. */
    void compare(RefcountTally tally, CheckReport report) throws IOException {
        long clusters = tally.clusters();
        long perBlock = geometry.refcountsPerBlock();
        for (int i = 0; i < entries() && i * perBlock < clusters; i++) {
            if (RefcountTableEntry.blockOffset(entry(i)) != 0) {
                long end = Math.min((i + 1) * perBlock, clusters);
                for (long cluster = i * perBlock; cluster < end; cluster++) {
                    compare(cluster, tally.get(cluster), report);
                }
            }
        }
        // Where there is no block every refcount is 0; only clusters that something refers to are of interest there.
        for (long stretch : tally.stretches()) {
            long first = stretch << RefcountTally.STRETCH_BITS;
            for (long cluster = first; cluster < first + (1 << RefcountTally.STRETCH_BITS); cluster++) {
                if (tally.get(cluster) != 0 && !hasBlock(cluster)) {
                    compare(cluster, tally.get(cluster), report);
                }
            }
        }
    }

    private void compare(long cluster, long references, CheckReport report) throws IOException {
        long refcount = get(cluster);
        if (refcount == UNKNOWN || refcount == references) {
            return;
        }
        long offset = geometry.clusterOffset(cluster);
        Finding finding = refcount > references
                ? new Leak(offset, refcount, references)
                : new RefcountTooLow(offset, refcount, references);
        report.add(finding, 1);
    }

    private boolean hasBlock(long cluster) {
        long index = geometry.refcountTableIndex(cluster);
        return index < entries() && RefcountTableEntry.blockOffset(entry((int) index)) != 0;
    }

    private int entries() {
        return table.capacity() / ENTRY;
    }

    private long entry(int index) {
        return table.getLong(index * ENTRY);
    }

    private byte[] block(long offset) throws IOException {
        byte @Nullable [] block = blocks.get(offset);
        if (block == null) {
            block = new byte[geometry.clusterSize()];
            if (offset > 0 && offset < file.size()) {
                file.read(offset, block);
            }
            blocks.put(offset, block);
        }
        return block;
    }
}
