package io.qfuse.qcow2.check;

import io.qfuse.qcow2.check.Finding.InvalidEntry;
import io.qfuse.qcow2.check.Finding.ReservedBits;
import io.qfuse.qcow2.check.Finding.Unaligned;
import io.qfuse.qcow2.check.RefcountTally.Use;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.parallel.Helpers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Walks L1 tables and the L2 tables they name. An L2 table that many L1 entries name is read once and counted as often:
 * so that snapshots cost little, and an image cannot make the walk endless by naming one table again and again. Holes
 * of the file are not read at all. While some tables are visited, helpers read the next.
 *
 * <p>Memory: one piece of an L1 table, 4 MiB of L2 tables, the offsets of at most a million L2 tables, and what entries of the
 * active L1 table name, where it has not more than a quarter of a million.
 */
final class TableWalk {

    /** What is done with the L2 tables. */
    @FunctionalInterface
    interface L2Visitor {
        /** An L2 table, in the order in which they lie in the file; by one thread at a time. */
        void visit(L2Table table) throws IOException;
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
    private static final int MOST_NAMED = 1 << 18;

    /** Stands in an offset, whose lowest bits are clear, for an entry of the active L1 table. */
    private static final long ACTIVE = 1;

    private final HostFile file;
    private final Geometry geometry;
    private final L2Visitor visitor;
    private final StoredExtents stored;
    private final L2Table table;
    private final Map<Long, Integer> indexes = new HashMap<>(); // of entries of the active L1 table, by what they name
    private long[] pending = new long[64];
    private int count;
    private int next;

    TableWalk(HostFile file, Geometry geometry, L2Visitor visitor) throws IOException {
        this.file = file;
        this.geometry = geometry;
        this.visitor = visitor;
        this.stored = new StoredExtents(file);
        this.table = new L2Table(geometry, offset -> indexes.getOrDefault(offset, -1));
    }

    /** Visits the entries of the active L1 table, and puts its L2 tables down for {@link #finish}. */
    void activeL1(long offset, long entries, L1Visitor entryVisitor) throws IOException {
        l1(offset, entries, (index, entry) -> {
            entryVisitor.visit(index, entry);
            if (indexes.size() < MOST_NAMED) {
                indexes.putIfAbsent(L1Entry.l2Offset(entry), index);
            }
            put(L1Entry.l2Offset(entry), ACTIVE);
        });
    }

    /** Visits the entries of a snapshot's L1 table, and puts its L2 tables down for {@link #finish}. */
    void snapshotL1(long offset, long entries, L1Visitor entryVisitor) throws IOException {
        l1(offset, entries, (index, entry) -> {
            entryVisitor.visit(index, entry);
            put(L1Entry.l2Offset(entry), 0);
        });
    }

    private void l1(long offset, long entries, L1Visitor entryVisitor) throws IOException {
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
                }
            }
            at += piece.length;
        }
    }

    private void put(long l2Offset, long active) throws IOException {
        if (l2Offset == 0) {
            return;
        }
        if (count == MOST_PENDING) {
            finish();
        }
        if (count == pending.length) {
            pending = Arrays.copyOf(pending, 2 * count);
        }
        pending[count++] = l2Offset | active;
    }

    /** Visits the L2 tables of all L1 tables so far. */
    void finish() throws IOException {
        Arrays.sort(pending, 0, count);
        next = 0;
        try (L2Batch one = new L2Batch(file, geometry.clusterSize());
                L2Batch other = new L2Batch(file, geometry.clusterSize())) {
            L2Batch read = one; // empty in the first round
            L2Batch coming = other;
            do {
                fill(coming);
                visitAndRead(read, coming);
                L2Batch done = read;
                read = coming;
                coming = done;
            } while (!read.isEmpty());
        }
        count = 0;
    }

    private void visitAndRead(L2Batch read, L2Batch coming) throws IOException {
        Helpers.shared().share(coming.parts() + 1, part -> {
            if (part == 0) {
                read.visit(table, visitor);
            } else {
                coming.read(part - 1);
            }
        });
    }

    /** Takes the next tables that are no holes. */
    private void fill(L2Batch batch) throws IOException {
        batch.clear();
        while (next < count) {
            long offset = pending[next] & ~ACTIVE;
            int end = next;
            int active = 0;
            for (; end < count && (pending[end] & ~ACTIVE) == offset; end++) {
                active += (int) (pending[end] & ACTIVE);
            }
            if (stored.holdsData(offset, geometry.clusterSize()) && !batch.add(offset, end - next, active)) {
                return;
            }
            next = end;
        }
    }

    /** Counts the references of an L1 table's entries, and reports what cannot be right about them. */
    static L1Visitor counting(String what, boolean active, Geometry geometry, RefcountTally tally, CheckReport report) {
        return (index, entry) -> {
            if ((entry & L1Entry.RESERVED) != 0) {
                report.add(new ReservedBits("entry " + index + " of " + what, entry), 1);
            }
            long offset = L1Entry.l2Offset(entry);
            if (offset == 0) {
                report.add(new InvalidEntry("entry " + index + " of " + what, entry, "no table, but not 0"), 1);
            } else {
                int flag = active ? RefcountTally.flag(entry) : 0;
                Supplier<String> table = () -> "the L2 table of entry " + index + " of " + what;
                tally.add(table, Use.L2, offset, geometry.clusterSize(), 1, flag);
                if (geometry.offsetInCluster(offset) != 0) {
                    report.add(new Unaligned(table.get(), offset), 1);
                }
            }
        };
    }
}
