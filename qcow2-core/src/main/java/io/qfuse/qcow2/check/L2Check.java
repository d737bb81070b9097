package io.qfuse.qcow2.check;

import io.qfuse.qcow2.check.Finding.InvalidEntry;
import io.qfuse.qcow2.check.Finding.ReservedBits;
import io.qfuse.qcow2.check.Finding.Unaligned;
import io.qfuse.qcow2.check.RefcountTally.Use;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L2Entry;
import java.io.IOException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Checks the entries of L2 tables and counts what they refer to. */
final class L2Check implements TableWalk.L2Visitor {

    private final Geometry geometry;
    private final L2Format format;
    private final RefcountTally tally;
    private final CheckReport report;
    private final ClusterCounts counts = new ClusterCounts();
    private final Place place = new Place();

    L2Check(Geometry geometry, L2Format format, RefcountTally tally, CheckReport report) {
        this.geometry = geometry;
        this.format = format;
        this.tally = tally;
        this.report = report;
    }

    /** How the clusters of the active tables lie. */
    ClusterCounts counts() {
        return counts;
    }

    @Override
    public void visit(L2Table table) throws IOException {
        counts.startTable();
        int entries = table.entries();
        for (int i = 0; i < entries; i++) {
            long entry = table.entry(i);
            long bitmap = format.extended() ? table.bitmap(i) : 0;
            if ((entry | bitmap) == 0) {
                continue;
            }
            if (L2Entry.isCompressed(entry)) {
                compressed(table, i, entry, bitmap);
            } else {
                standard(table, i, entry, bitmap);
            }
        }
    }

    private void compressed(L2Table table, int index, long entry, long bitmap) throws IOException {
        if (L2Entry.isCopied(entry)) {
            invalid(table, index, "COPIED is set for a compressed cluster");
        }
        if (format.external()) {
            invalid(table, index, "compressed cluster in an image with an external data file");
        } else if (bitmap != 0) {
            invalid(table, index, "subclusters of a compressed cluster");
        } else {
            int clusterBits = geometry.clusterBits();
            long stream = L2Entry.streamOffset(entry, clusterBits);
            int length = L2Entry.streamLength(entry, clusterBits);
            place.at("the compressed stream of ", table, index);
            tally.add(place, Use.DATA, stream, length, table.times(), 0);
            counts.compressed(table.activeTimes());
        }
    }

    private void standard(L2Table table, int index, long entry, long bitmap) throws IOException {
        if ((entry & format.reserved()) != 0) {
            report.add(new ReservedBits(table.place(index), entry), table.times());
        }
        if (!format.hasCluster(entry)) {
            if ((bitmap & L2Format.ALLOCATED) != 0) {
                invalid(table, index, "subclusters are allocated without a cluster");
            }
            return;
        }
        if (((bitmap >>> 32) & bitmap) != 0) {
            invalid(table, index, "subclusters are both allocated and zero");
        }
        long offset = L2Entry.hostOffset(entry);
        if (geometry.offsetInCluster(offset) != 0) {
            boolean reserve = !format.holdsData(entry, bitmap);
            String what = reserve ? "preallocated cluster" : "data cluster";
            report.add(new Unaligned("the " + what + " of " + table.place(index), offset, reserve), table.times());
        }
        if (table.activeTimes() > 0) {
            counts.standard(offset, geometry.clusterSize(), table.activeTimes());
        }
        if (!format.external()) {
            int flag = table.activeTimes() > 0 ? RefcountTally.flag(entry) : 0;
            place.at("the data cluster of ", table, index);
            tally.add(place, Use.DATA, offset, geometry.clusterSize(), table.times(), flag);
        }
    }

    private void invalid(L2Table table, int index, String why) {
        report.add(new InvalidEntry(table.place(index), table.entry(index), why), table.times());
    }

    /** What an entry refers to: one object for all entries, since only findings want the name. */
    private static final class Place implements Supplier<String> {

        private String what = "";
        private @Nullable L2Table table;
        private int index;

        void at(String referred, L2Table in, int entry) {
            what = referred;
            table = in;
            index = entry;
        }

        @Override
        public String get() {
            return table == null ? what : what + table.place(index);
        }
    }
}
