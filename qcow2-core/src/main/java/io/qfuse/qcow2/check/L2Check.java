package io.qfuse.qcow2.check;

import io.qfuse.qcow2.check.Finding.InvalidEntry;
import io.qfuse.qcow2.check.Finding.ReservedBits;
import io.qfuse.qcow2.check.Finding.Unaligned;
import io.qfuse.qcow2.check.RefcountTally.Use;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L2Entry;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Checks the entries of L2 tables and counts what they refer to. */
final class L2Check implements TableWalk.L2Visitor {

    private final Geometry geometry;
    private final L2Format format;
    private final RefcountTally tally;
    private final CheckReport report;

    L2Check(Geometry geometry, L2Format format, RefcountTally tally, CheckReport report) {
        this.geometry = geometry;
        this.format = format;
        this.tally = tally;
        this.report = report;
    }

    @Override
    public void visit(long offset, ByteBuffer table, long times) throws IOException {
        for (int at = 0; at < table.capacity(); at += format.entrySize()) {
            long entry = table.getLong(at);
            long bitmap = format.extended() ? table.getLong(at + 8) : 0;
            if ((entry | bitmap) == 0) {
                continue;
            }
            Place place = new Place(offset, at / format.entrySize(), entry, times);
            if (L2Entry.isCompressed(entry)) {
                compressed(place, bitmap);
            } else {
                standard(place, bitmap);
            }
        }
    }

    private void compressed(Place place, long bitmap) throws IOException {
        long entry = place.entry;
        if (L2Entry.isCopied(entry)) {
            invalid(place, "COPIED is set for a compressed cluster");
        }
        if (format.external()) {
            invalid(place, "compressed cluster in an image with an external data file");
        } else if (bitmap != 0) {
            invalid(place, "subclusters of a compressed cluster");
        } else {
            int clusterBits = geometry.clusterBits();
            long stream = L2Entry.streamOffset(entry, clusterBits);
            tally.add("compressed stream", Use.DATA, stream, L2Entry.streamLength(entry, clusterBits), place.times);
        }
    }

    private void standard(Place place, long bitmap) throws IOException {
        long entry = place.entry;
        if ((entry & format.reserved()) != 0) {
            report.add(new ReservedBits(place.toString(), entry), place.times);
        }
        if (!format.hasCluster(entry)) {
            if ((bitmap & L2Format.ALLOCATED) != 0) {
                invalid(place, "subclusters are allocated without a cluster");
            }
            return;
        }
        if (((bitmap >>> 32) & bitmap) != 0) {
            invalid(place, "subclusters are both allocated and zero");
        }
        long offset = L2Entry.hostOffset(entry);
        if (geometry.offsetInCluster(offset) != 0) {
            String what = format.holdsData(entry, bitmap) ? "data cluster" : "preallocated cluster";
            report.add(new Unaligned("the " + what + " of " + place, offset), place.times);
        }
        if (!format.external()) {
            tally.add("data cluster", Use.DATA, offset, geometry.clusterSize(), place.times);
        }
    }

    private void invalid(Place place, String why) {
        report.add(new InvalidEntry(place.toString(), place.entry, why), place.times);
    }

    /** Where an entry is; named only for a finding. */
    private record Place(long table, int index, long entry, long times) {
        @Override
        public String toString() {
            return "entry " + index + " of the L2 table at 0x" + Long.toHexString(table);
        }
    }
}
