package io.qfuse.qcow2.check;

import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.format.Subclusters;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;

/**
 * Makes zero clusters of those whose host space does not begin at a cluster: nothing is stored there, so that the entry can do
 * without it. Each entry is changed by one write within a sector, and reads as zeroes before and after.
 */
final class ReserveRepair implements TableWalk.L2Visitor {

    private final HostFile file;
    private final Geometry geometry;
    private final L2Format format;
    private long corrected;

    ReserveRepair(HostFile file, Header header) {
        this.file = file;
        this.geometry = header.geometry();
        this.format = L2Format.of(header);
    }

    /** Looks at the active tables; returns how many entries were changed. */
    long correct(Header header) throws IOException {
        TableWalk walk = new TableWalk(file, geometry, this);
        walk.activeL1(header.l1Offset(), header.l1Size(), (index, entry) -> {});
        walk.finish();
        return corrected;
    }

    @Override
    public void visit(L2Table table) throws IOException {
        for (int i = 0; i < table.entries(); i++) {
            long entry = table.entry(i);
            long bitmap = format.extended() ? table.bitmap(i) : 0;
            boolean named = !L2Entry.isCompressed(entry) && format.hasCluster(entry);
            if (!named || format.holdsData(entry, bitmap) || geometry.offsetInCluster(L2Entry.hostOffset(entry)) == 0) {
                continue;
            }
            // Subclusters that are not zero show what is below, and go on doing so without a cluster.
            table.setEntry(i, format.extended() ? 0 : L2Entry.ZERO);
            if (format.extended()) {
                table.setBitmap(i, bitmap & Subclusters.zero(0, Subclusters.COUNT));
            }
            table.write(file, i, i);
            corrected += table.times();
        }
    }
}
