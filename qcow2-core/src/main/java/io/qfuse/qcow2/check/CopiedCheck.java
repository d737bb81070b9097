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
 * Checks that COPIED is set in the active tables exactly where the stored refcount is 1: what is marked so is written in
 * place. The flags in snapshots' tables mean nothing.
 */
final class CopiedCheck implements TableWalk.L2Visitor {

    private final Geometry geometry;
    private final L2Format format;
    private final StoredRefcounts refcounts;
    private final CheckReport report;

    CopiedCheck(Header header, StoredRefcounts refcounts, CheckReport report) {
        this.geometry = header.geometry();
        this.format = L2Format.of(header);
        this.refcounts = refcounts;
        this.report = report;
    }

    void check(HostFile file, Header header) throws IOException {
        TableWalk walk = new TableWalk(file, geometry, this);
        walk.l1(header.l1Offset(), header.l1Size(), (index, entry) -> {
            long offset = L1Entry.l2Offset(entry);
            if (offset != 0) {
                long refcount = refcounts.get(geometry.clusterIndex(offset));
                if (isWrong(entry, refcount)) {
                    report.add(new CopiedWrong("entry " + index + " of the active L1 table", entry, refcount), 1);
                }
            }
        });
        walk.finish();
    }

    @Override
    public void visit(long offset, ByteBuffer table, long times) throws IOException {
        for (int at = 0; at < table.capacity(); at += format.entrySize()) {
            long entry = table.getLong(at);
            if (L2Entry.isCompressed(entry) || !format.hasCluster(entry)) {
                continue;
            }
            // Clusters of an external data file are never shared.
            long cluster = geometry.clusterIndex(L2Entry.hostOffset(entry));
            long refcount = format.external() ? 1 : refcounts.get(cluster);
            if (isWrong(entry, refcount)) {
                String what = "entry " + at / format.entrySize() + " of the L2 table at 0x" + Long.toHexString(offset);
                report.add(new CopiedWrong(what, entry, refcount), times);
            }
        }
    }

    private static boolean isWrong(long entry, long refcount) {
        return refcount != StoredRefcounts.UNKNOWN && (refcount == 1) != (entry < 0);
    }
}
