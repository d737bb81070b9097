package io.qfuse.qcow2.check;

import io.qfuse.qcow2.check.Finding.InvalidEntry;
import io.qfuse.qcow2.check.Finding.ReservedBits;
import io.qfuse.qcow2.check.Finding.Unaligned;
import io.qfuse.qcow2.check.RefcountTally.Use;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Walks L1 tables and the L2 tables they name. An L2 table that many L1 entries name is read once and counted as often:
 * so that snapshots cost little, and an image cannot make the walk endless by naming one table again and again. Holes
 * of the file are not read at all.
 *
 * <p>Memory: one piece of an L1 table, one L2 table, and the offsets of at most a million L2 tables.
 */
final class TableWalk {

    /** What is done with the L2 tables. */
    @FunctionalInterface
    interface L2Visitor {
        /**
         * An L2 table.
         *
         * @param offset where it is
         * @param table its bytes, one cluster
         * @param times how many L1 entries name it
         */
        void visit(long offset, ByteBuffer table, long times) throws IOException;
    }

    /** What is done with the entries of an L1 table that name an L2 table. */
    @FunctionalInterface
    interface L1Visitor {
        /** An entry other than 0. */
        void visit(int index, long entry) throws IOException;
    }

    private static final int ENTRY = 8;
    private static final int PIECE = 64 << 10;
    private static final int MOST_PENDING = 1 << 20;

    private final HostFile file;
    private final Geometry geometry;
    private final L2Visitor visitor;
    private long[] pending = new long[64];
    private int count;

    TableWalk(HostFile file, Geometry geometry, L2Visitor visitor) {
        this.file = file;
        this.geometry = geometry;
        this.visitor = visitor;
    }

    /** Visits the entries of an L1 table, and puts its L2 tables down for {@link #finish}. */
    void l1(long offset, long entries, L1Visitor entryVisitor) throws IOException {
        if (offset < 0 || offset >= file.size()) {
            return;
        }
        long end = Math.min(entries * ENTRY, file.size() - offset);
        // The file may end inside an entry: what is missing of it is read as zeroes.
        byte[] piece = new byte[(int) Math.min(PIECE, (end + ENTRY - 1) & -ENTRY)];
        long at = 0;
        while (at < end) {
            long data = file.seekData(offset + at);
            if (data < 0) {
                return;
            }
            at = Math.max(at, (data - offset) & -ENTRY);
            file.read(offset + at, piece);
            ByteBuffer read = ByteBuffer.wrap(piece);
            for (int i = 0; i < piece.length && at + i < entries * ENTRY; i += ENTRY) {
                long entry = read.getLong(i);
                if (entry != 0) {
                    entryVisitor.visit((int) ((at + i) / ENTRY), entry);
                    put(L1Entry.l2Offset(entry));
                }
            }
            at += piece.length;
        }
    }

    private void put(long l2Offset) throws IOException {
        if (l2Offset == 0) {
            return;
        }
        if (count == MOST_PENDING) {
            finish();
        }
        if (count == pending.length) {
            pending = Arrays.copyOf(pending, 2 * count);
        }
        pending[count++] = l2Offset;
    }

    /** Visits the L2 tables of all L1 tables so far. */
    void finish() throws IOException {
        Arrays.sort(pending, 0, count);
        byte[] table = new byte[geometry.clusterSize()];
        int next;
        for (int i = 0; i < count; i = next) {
            next = i + 1;
            while (next < count && pending[next] == pending[i]) {
                next++;
            }
            if (holdsData(file, pending[i], geometry.clusterSize())) {
                file.read(pending[i], table);
                visitor.visit(pending[i], ByteBuffer.wrap(table), next - i);
            }
        }
        count = 0;
    }

    /** Whether a range of the file is more than a hole; what lies behind the end is none. */
    static boolean holdsData(HostFile file, long offset, int length) throws IOException {
        if (offset >= file.size()) {
            return false;
        }
        long data = file.seekData(offset);
        return data >= 0 && data < offset + length;
    }

    /** Counts the references of an L1 table's entries, and reports what cannot be right about them. */
    static L1Visitor counting(String what, Geometry geometry, RefcountTally tally, CheckReport report) {
        return (index, entry) -> {
            if ((entry & L1Entry.RESERVED) != 0) {
                report.add(new ReservedBits("entry " + index + " of " + what, entry), 1);
            }
            long offset = L1Entry.l2Offset(entry);
            if (offset == 0) {
                report.add(new InvalidEntry("entry " + index + " of " + what, entry, "no table, but not 0"), 1);
            } else {
                tally.add("the L2 table of entry " + index + " of " + what, Use.L2, offset, geometry.clusterSize(), 1);
                if (geometry.offsetInCluster(offset) != 0) {
                    report.add(new Unaligned("the L2 table of entry " + index + " of " + what, offset), 1);
                }
            }
        };
    }
}
