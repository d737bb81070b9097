package io.qfuse.qcow2.commit;

import io.qfuse.cache.CapturedSlice;
import io.qfuse.qcow2.guard.MetadataClusters;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.table.Rank;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.List;

/** Writes captured slices to their places, adjacent ones together, and nowhere but into tables of their rank. */
final class SliceWriter {

    /** The most bytes of one write. */
    private static final int MOST = 1 << 20;

    private final HostFile file;
    private final MetadataClusters metadata;

    SliceWriter(HostFile file, MetadataClusters metadata) {
        this.file = file;
        this.metadata = metadata;
    }

    /** Writes slices of one rank that are sorted by their offsets. */
    void write(Rank rank, List<CapturedSlice> slices) throws IOException {
        ByteArrayOutputStream run = new ByteArrayOutputStream();
        long start = 0;
        for (CapturedSlice slice : slices) {
            metadata.requireAlone(rank.role(), slice.offset(), slice.bytes().length);
            boolean adjacent = slice.offset() == start + run.size() && run.size() + slice.bytes().length <= MOST;
            if (run.size() > 0 && !adjacent) {
                write(start, run);
            }
            if (run.size() == 0) {
                start = slice.offset();
            }
            run.writeBytes(slice.bytes());
        }
        if (run.size() > 0) {
            write(start, run);
        }
    }

    private void write(long start, ByteArrayOutputStream run) throws IOException {
        file.write(start, run.toByteArray(), 0, run.size());
        run.reset();
    }
}
