package io.qfuse.qcow2.check;

import io.qfuse.qcow2.check.Finding.BrokenTable;
import io.qfuse.qcow2.check.Finding.InvalidEntry;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/** Checks that entries of an image with an external data file name their guest offsets (format notes, section 12). */
final class ExternalDataCheck implements TableWalk.L2Visitor {

    private final Geometry geometry;
    private final L2Format format;
    private final CheckReport report;
    private final Map<Long, Integer> indexes = new HashMap<>(); // of L1 entries, by the L2 table they name

    ExternalDataCheck(Header header, CheckReport report) {
        this.geometry = header.geometry();
        this.format = L2Format.of(header);
        this.report = report;
    }

    void check(HostFile file, Header header) throws IOException {
        if (header.snapshotCount() > 0) {
            report.add(new BrokenTable("internal snapshots in an image with an external data file"), 1);
        }
        TableWalk walk = new TableWalk(file, geometry, this);
        walk.activeL1(
                header.l1Offset(),
                header.l1Size(),
                (index, entry) -> indexes.putIfAbsent(L1Entry.l2Offset(entry), index));
        walk.finish();
    }

    @Override
    public void visit(L2Table table) {
        long guest = indexes.getOrDefault(table.offset(), 0) * geometry.l2Reach();
        for (int i = 0; i < table.entries(); i++) {
            long entry = table.entry(i);
            boolean standard = !L2Entry.isCompressed(entry) && format.hasCluster(entry);
            if (standard && L2Entry.hostOffset(entry) != guest) {
                String why = "not the guest offset 0x" + Long.toHexString(guest) + " in the external data file";
                report.add(new InvalidEntry(table.place(i), entry, why), table.times());
            }
            guest += geometry.clusterSize();
        }
    }
}
