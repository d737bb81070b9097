package io.qfuse.qcow2.check;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.check.Finding.Leak;
import io.qfuse.qcow2.check.Finding.OutsideFile;
import io.qfuse.qcow2.check.Finding.RefcountTooLow;
import io.qfuse.qcow2.check.Finding.ReservedBits;
import io.qfuse.qcow2.check.Finding.Unaligned;
import io.qfuse.qcow2.check.RefcountTally.Use;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.RefcountTableEntry;
import io.qfuse.qcow2.format.RefcountWidth;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
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

    /**
     * Counts the references to table and blocks, and reports entries that cannot be right.
     *
     * @return whether all are right, and nothing else lies where table and blocks are
     */
    boolean countReferences(RefcountTally tally, CheckReport report) throws Qcow2Exception {
        boolean sound = tally.add("the refcount table", Use.TABLE, tableOffset, table.capacity(), 1);
        for (int i = 0; i < entries(); i++) {
            long entry = entry(i);
            long offset = RefcountTableEntry.blockOffset(entry);
            Finding wrong = null;
            if ((entry & RefcountTableEntry.RESERVED) != 0) {
                wrong = new ReservedBits("entry " + i + " of the refcount table", entry);
            } else if (geometry.offsetInCluster(offset) != 0) {
                wrong = new Unaligned("refcount block " + i, offset);
            } else if (geometry.clusterIndex(offset) >= tally.clusters()) {
                wrong = new OutsideFile("refcount block " + i, offset, geometry.clusterSize());
            } else if (offset != 0) {
                sound &= tally.add("refcount block " + i, Use.TABLE, offset, geometry.clusterSize(), 1);
            }
            if (wrong != null) {
                report.add(wrong, 1);
                sound = false;
            }
        }
        return sound;
    }

    /** Reports every cluster whose stored refcount is not what was found. */
    void compare(RefcountTally tally, CheckReport report) throws IOException {
        byte[] stored = new byte[geometry.clusterSize()];
        byte[] due = new byte[geometry.clusterSize()];
        for (int i = 0; i < entries(); i++) {
            if (readDiffering(i, tally, stored, due)) {
                report(i, tally.clusters(), stored, due, report);
            }
        }
        // Where there is no block every refcount is 0.
        tally.referenced()
                .filter(cluster -> !hasBlock(cluster))
                .forEach(cluster ->
                        report.add(new RefcountTooLow(geometry.clusterOffset(cluster), 0, tally.get(cluster)), 1));
    }

    /** Whether every cluster that something refers to has a place for its count. */
    boolean cover(RefcountTally tally) {
        return tally.referenced().allMatch(this::hasBlock);
    }

    /**
     * Stores what was found in place of what is stored. Everything must be {@linkplain #cover covered}, by blocks that
     * {@link #countReferences} found sound.
     *
     * @param report told what was wrong
     */
    void correct(RefcountTally tally, CheckReport report) throws IOException {
        byte[] stored = new byte[geometry.clusterSize()];
        byte[] due = new byte[geometry.clusterSize()];
        for (int i = 0; i < entries(); i++) {
            if (readDiffering(i, tally, stored, due)) {
                report(i, tally.clusters(), stored, due, report);
                file.write(RefcountTableEntry.blockOffset(entry(i)), due, 0, due.length);
            }
        }
    }

    /** Reads a block and what it has to be, where there is one that differs; holes are not read. */
    private boolean readDiffering(int index, RefcountTally tally, byte[] stored, byte[] due) throws IOException {
        long offset = RefcountTableEntry.blockOffset(entry(index));
        if (offset <= 0 || geometry.offsetInCluster(offset) != 0) {
            return false;
        }
        boolean holdsData = TableWalk.holdsData(file, offset, stored.length);
        if (!tally.fillBlock(index, due) && !holdsData) {
            return false;
        }
        if (holdsData) {
            file.read(offset, stored);
        } else {
            Arrays.fill(stored, (byte) 0);
        }
        return !Arrays.equals(stored, due);
    }

    /** Reports where a block differs; what lies behind the end of the file is nobody's loss. */
    private void report(int index, long clusters, byte[] stored, byte[] due, CheckReport report) {
        long first = (long) index * geometry.refcountsPerBlock();
        int count = (int) Math.min(geometry.refcountsPerBlock(), clusters - first);
        for (int i = 0; i < count; i++) {
            long refcount = width.get(stored, i);
            long references = width.get(due, i);
            long offset = geometry.clusterOffset(first + i);
            if (refcount > references) {
                report.add(new Leak(offset, refcount, references), 1);
            } else if (refcount < references) {
                report.add(new RefcountTooLow(offset, refcount, references), 1);
            }
        }
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
