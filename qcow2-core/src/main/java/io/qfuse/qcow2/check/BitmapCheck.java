package io.qfuse.qcow2.check;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.bitmap.BitmapDirectory;
import io.qfuse.qcow2.check.Finding.BrokenTable;
import io.qfuse.qcow2.check.Finding.ReservedBits;
import io.qfuse.qcow2.check.Finding.Unaligned;
import io.qfuse.qcow2.check.RefcountTally.Use;
import io.qfuse.qcow2.format.BitmapRecord;
import io.qfuse.qcow2.format.BitmapTableEntry;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;

/** Counts the references of the persistent bitmaps (format notes, section 9). */
final class BitmapCheck {

    private static final int ENTRY = 8;
    private static final int PIECE = 64 << 10;

    private final HostFile file;
    private final Geometry geometry;
    private final RefcountTally tally;
    private final CheckReport report;

    BitmapCheck(HostFile file, Geometry geometry, RefcountTally tally, CheckReport report) {
        this.file = file;
        this.geometry = geometry;
        this.tally = tally;
        this.report = report;
    }

    void check(Header header) throws IOException {
        Optional<BitmapDirectory> directory;
        try {
            directory = BitmapDirectory.read(file, header);
        } catch (Qcow2Exception e) {
            report.add(new BrokenTable(String.valueOf(e.getMessage())), 1);
            return;
        }
        if (directory.isPresent()) {
            tally.add(
                    "the bitmap directory",
                    Use.TABLE,
                    directory.get().offset(),
                    directory.get().length(),
                    1,
                    0);
            for (int i = 0; i < directory.get().bitmaps().size(); i++) {
                check(
                        "the table of bitmap entry " + i,
                        directory.get().bitmaps().get(i));
            }
        }
    }

    private void check(String what, BitmapRecord bitmap) throws IOException {
        long offset = bitmap.tableOffset();
        long length = bitmap.tableSize() * ENTRY;
        if (!tally.add(what, Use.TABLE, offset, length, 1, 0)) {
            return;
        }
        if (geometry.offsetInCluster(offset) != 0) {
            report.add(new Unaligned(what, offset), 1);
            return;
        }
        byte[] piece = new byte[PIECE];
        // What lies behind the end of the file is zeroes, which refer to nothing.
        long end = Math.min(length, file.size() - offset);
        for (long at = 0; at < end; at += PIECE) {
            file.read(offset + at, piece);
            ByteBuffer entries = ByteBuffer.wrap(piece);
            for (int i = 0; i < PIECE && at + i < end; i += ENTRY) {
                entry(what, entries.getLong(i));
            }
        }
    }

    private void entry(String what, long entry) throws Qcow2Exception {
        long offset = BitmapTableEntry.hostOffset(entry);
        if (BitmapTableEntry.hasReservedBits(entry)) {
            report.add(new ReservedBits("an entry of " + what, entry), 1);
        } else if (geometry.offsetInCluster(offset) != 0) {
            report.add(new Unaligned("a data cluster of " + what, offset), 1);
        } else if (offset != 0) {
            tally.add("bitmap data", Use.TABLE, offset, geometry.clusterSize(), 1, 0);
        }
    }
}
