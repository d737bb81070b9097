package io.qfuse.qcow2.check;

import io.qfuse.qcow2.check.Finding.CopiedWrong;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Checks that COPIED is set in the active tables exactly where the refcount is 1: what is marked so is written in place.
 * The flags in snapshots' tables mean nothing.
 */
final class CopiedCheck implements TableWalk.L2Visitor {

    /** Where refcounts come from. */
    @FunctionalInterface
    interface Refcounts {
        /** The refcount of a cluster, or {@link StoredRefcounts#UNKNOWN}. */
        long get(long cluster) throws IOException;
    }

    private final HostFile file;
    private final Header header;
    private final Geometry geometry;
    private final L2Format format;
    private final Refcounts refcounts;
    private final CheckReport report;
    private boolean setting;
    private boolean clearing;
    private long corrected;

    CopiedCheck(HostFile file, Header header, Refcounts refcounts, CheckReport report) {
        this.file = file;
        this.header = header;
        this.geometry = header.geometry();
        this.format = L2Format.of(header);
        this.refcounts = refcounts;
        this.report = report;
    }

    /** Reports the flags that are wrong. */
    void check() throws IOException {
        TableWalk walk = new TableWalk(file, geometry, this);
        walk.activeL1(header.l1Offset(), header.l1Size(), this::visitL1);
        walk.finish();
    }

    /** Reports the flags that are wrong and turns them over; a write changes flags and nothing else. */
    void correct() throws IOException {
        setting = true;
        clearing = true;
        check();
    }

    /** Reports the flags that are wrong, and sets those that are missing. */
    void set() throws IOException {
        setting = true;
        check();
    }

    private boolean corrects(long entry) {
        return L2Entry.isCopied(entry) ? clearing : setting;
    }

    private void visitL1(int index, long entry) throws IOException {
        long offset = L1Entry.l2Offset(entry);
        if (offset == 0) {
            return;
        }
        long refcount = refcounts.get(geometry.clusterIndex(offset));
        if (isWrong(entry, refcount)) {
            report.add(new CopiedWrong("entry " + index + " of the active L1 table", entry, refcount), 1);
            if (corrects(entry)) {
                corrected++;
                byte[] bytes = new byte[Long.BYTES];
                ByteBuffer.wrap(bytes).putLong(entry ^ L1Entry.COPIED);
                file.write(header.l1Offset() + (long) Long.BYTES * index, bytes, 0, bytes.length);
            }
        }
    }

    /** How many flags were turned over. */
    long corrected() {
        return corrected;
    }

    @Override
    public void visit(L2Table table) throws IOException {
        int first = -1;
        int last = -1;
        for (int i = 0; i < table.entries(); i++) {
            long entry = table.entry(i);
            if (L2Entry.isCompressed(entry) || !format.hasCluster(entry)) {
                continue;
            }
            // Clusters of an external data file are never shared.
            long cluster = geometry.clusterIndex(L2Entry.hostOffset(entry));
            long refcount = format.external() ? 1 : refcounts.get(cluster);
            if (isWrong(entry, refcount)) {
                report.add(new CopiedWrong(table.place(i), entry, refcount), table.times());
                if (corrects(entry)) {
                    table.setEntry(i, entry ^ L2Entry.COPIED);
                    corrected += table.times();
                    first = first < 0 ? i : first;
                    last = i;
                }
            }
        }
        if (last >= 0) {
            table.write(file, first, last);
        }
    }

    private static boolean isWrong(long entry, long refcount) {
        return refcount != StoredRefcounts.UNKNOWN && (refcount == 1) != (entry < 0);
    }
}
