package io.qfuse.qcow2.check;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.check.Finding.BrokenTable;
import io.qfuse.qcow2.check.Finding.OutsideFile;
import io.qfuse.qcow2.check.Finding.Unaligned;
import io.qfuse.qcow2.check.RefcountTally.Use;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderExtension;
import io.qfuse.qcow2.format.Limits;
import io.qfuse.qcow2.format.SnapshotRecord;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.snapshot.SnapshotTable;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Follows everything that an image refers to but its refcounts, and counts the references to each host cluster. */
final class References {

    private static final int ENTRY = 8;

    private final HostFile file;
    private final Header header;
    private final Geometry geometry;
    private final RefcountTally tally;
    private final CheckReport report;

    private References(HostFile file, Header header, RefcountTally tally, CheckReport report) {
        this.file = file;
        this.header = header;
        this.geometry = header.geometry();
        this.tally = tally;
        this.report = report;
    }

    /** The references of an image; what cannot be right about them goes into the report. */
    static RefcountTally count(HostFile file, Header header, CheckReport report) throws IOException {
        RefcountTally tally = new RefcountTally(file, header.geometry(), report);
        new References(file, header, tally, report).count();
        return tally;
    }

    private void count() throws IOException {
        tally.add("the header", Use.TABLE, 0, geometry.clusterSize(), 1, 0);
        countGuestTables();
        countCryptoHeader();
        new BitmapCheck(file, geometry, tally, report).check(header);
    }

    private void countGuestTables() throws IOException {
        L2Check entries = new L2Check(geometry, L2Format.of(header), tally, report);
        TableWalk walk = new TableWalk(file, geometry, entries);
        String active = "the active L1 table";
        if (countL1(active, header.l1Offset(), header.l1Size())) {
            walk.activeL1(
                    header.l1Offset(), header.l1Size(), TableWalk.counting(active, true, geometry, tally, report));
        }
        if (header.snapshotCount() > 0) {
            countSnapshots(walk);
        }
        walk.finish();
        report.counted(entries.counts());
    }

    private void countSnapshots(TableWalk walk) throws IOException {
        SnapshotTable table;
        try {
            table = SnapshotTable.read(file, header);
        } catch (Qcow2Exception e) {
            report.add(new BrokenTable(String.valueOf(e.getMessage())), 1);
            return;
        }
        for (int i = 0; i < table.snapshots().size(); i++) {
            SnapshotRecord snapshot = table.snapshots().get(i);
            // By number: ids of a damaged table may be anything.
            String what = "the L1 table of snapshot entry " + i;
            if (header.version() >= 3 && snapshot.virtualSize() == SnapshotRecord.NOT_STORED) {
                report.add(new BrokenTable("snapshot entry " + i + " does not say how large its disk is"), 1);
            }
            if (geometry.offsetInCluster(snapshot.l1Offset()) != 0) {
                report.add(new Unaligned(what, snapshot.l1Offset()), 1);
            } else if (snapshot.l1Size() > Limits.MAX_L1_SIZE) {
                report.add(new OutsideFile(what, snapshot.l1Offset(), snapshot.l1Size() * ENTRY), 1);
            } else {
                if (countL1(what, snapshot.l1Offset(), snapshot.l1Size())) {
                    walk.snapshotL1(
                            snapshot.l1Offset(),
                            snapshot.l1Size(),
                            TableWalk.counting(what, false, geometry, tally, report));
                }
            }
        }
        tally.add("the snapshot table", Use.TABLE, header.snapshotsOffset(), table.length(), 1, 0);
    }

    private boolean countL1(String what, long offset, long entries) throws IOException {
        return tally.add(what, Use.TABLE, offset, entries * ENTRY, 1, 0);
    }

    private void countCryptoHeader() throws IOException {
        byte[] fields = header.extension(HeaderExtension.CRYPTO).orElse(new byte[2 * ENTRY]);
        ByteBuffer in = ByteBuffer.wrap(fields);
        tally.add("the crypto header", Use.TABLE, in.getLong(0), in.getLong(ENTRY), 1, 0);
    }
}
