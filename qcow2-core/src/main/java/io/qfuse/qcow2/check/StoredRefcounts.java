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
        boolean sound = tally.add("the refcount table", Use.TABLE, tableOffset, table.capacity(), 1, 0);
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
                sound &= tally.add("refcount block " + i, Use.TABLE, offset, geometry.clusterSize(), 1, 0);
            }
            if (wrong != null) {
                report.add(wrong, 1);
                sound = false;
            }
        }
        return sound;
    }

    /**
     * Reports every cluster whose stored refcount is not what was found.
     *
     * @return whether the COPIED flags of all entries agree with the stored refcounts for certain
     */
    boolean compare(RefcountTally tally, CheckReport report) throws IOException {
        boolean flagsRight = true;
        Difference blocks = new Difference(tally);
        for (int i = 0; i < entries(); i++) {
            if (blocks.read(i)) {
                report(i, tally.clusters(), blocks, report);
            }
            flagsRight &= blocks.flagsRight;
        }
        // Where there is no block every refcount is 0.
        long before = report.corruptions();
        tally.referenced().filter(cluster -> !hasBlock(cluster)).forEach(cluster -> {
            report.add(new RefcountTooLow(geometry.clusterOffset(cluster), 0, tally.get(cluster)), 1);
            blocks.used = Math.max(blocks.used, cluster + 1);
        });
        report.endsAt(geometry.clusterOffset(blocks.used));
        return flagsRight && report.corruptions() == before;
    }

    /** Whether every cluster that something refers to has a place for its count. */
    boolean cover(RefcountTally tally) {
        return tally.referenced().allMatch(this::hasBlock);
    }

    /**
     * Which counts may be changed.
     *
     * @param raise those that are lower than what was found
     * @param lower those that are higher
     */
    record Correction(boolean raise, boolean lower) {
        static final Correction ALL = new Correction(true, true);
    }

    /**
     * Stores what was found in place of what is stored, in blocks that {@link #countReferences} found sound.
     *
     * @param report told what was wrong and was corrected
     */
    void correct(RefcountTally tally, Correction what, CheckReport report) throws IOException {
        Difference blocks = new Difference(tally);
        for (int i = 0; i < entries(); i++) {
            if (blocks.read(i)) {
                blocks.keepBut(what);
                report(i, tally.clusters(), blocks, report);
                if (!Arrays.equals(blocks.stored, blocks.due)) {
                    file.write(RefcountTableEntry.blockOffset(entry(i)), blocks.due, 0, blocks.due.length);
                }
            }
        }
    }

    /** A block as it is stored beside what it has to be. */
    private final class Difference {

        private final RefcountTally tally;
        private final StoredExtents extents = new StoredExtents(file);
        private final byte[] stored = new byte[geometry.clusterSize()];
        private final byte[] due = new byte[geometry.clusterSize()];
        private long first; // cluster
        private boolean flagsRight;

        /** One more than the last cluster so far that is counted or referred to. */
        private long used;

        Difference(RefcountTally tally) throws IOException {
            this.tally = tally;
        }

        /** Reads a block, where there is one; whether it differs. Holes are not read. */
        boolean read(int index) throws IOException {
            long offset = RefcountTableEntry.blockOffset(entry(index));
            first = (long) index * geometry.refcountsPerBlock();
            flagsRight = offset == 0;
            if (offset <= 0 || geometry.offsetInCluster(offset) != 0) {
                return false;
            }
            boolean holdsData = extents.holdsData(offset, stored.length);
            RefcountTally.Block found = tally.fillBlock(index, due);
            flagsRight = found != RefcountTally.Block.USED_FLAGS_WRONG;
            if (found == RefcountTally.Block.UNUSED && !holdsData) {
                return false;
            }
            if (holdsData) {
                file.read(offset, stored);
            } else {
                Arrays.fill(stored, (byte) 0);
            }
            noteUsed();
            boolean same = Arrays.equals(stored, due);
            flagsRight &= same;
            return !same;
        }

        private void noteUsed() {
            int i = (int) Math.min(geometry.refcountsPerBlock(), tally.clusters() - first) - 1;
            while (i >= 0 && width.get(stored, i) == 0 && width.get(due, i) == 0) {
                i--;
            }
            if (i >= 0) {
                used = Math.max(used, first + i + 1);
            }
        }

        /** Makes due what is stored, wherever no correction is asked for. */
        void keepBut(Correction what) {
            for (int i = 0; i < geometry.refcountsPerBlock(); i++) {
                long is = width.get(stored, i);
                long shall = width.get(due, i);
                boolean wanted = is < shall ? what.raise() : what.lower();
                if (is != shall && !wanted) {
                    width.set(due, i, is);
                }
            }
        }
    }

    /** Reports where a block differs; what lies behind the end of the file is nobody's loss. */
    private void report(int index, long clusters, Difference blocks, CheckReport report) {
        long first = (long) index * geometry.refcountsPerBlock();
        int count = (int) Math.min(geometry.refcountsPerBlock(), clusters - first);
        for (int i = 0; i < count; i++) {
            long refcount = width.get(blocks.stored, i);
            long references = width.get(blocks.due, i);
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
