package io.qfuse.qcow2.store;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.alloc.HostRun;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Limits;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;

/**
 * The clusters of an external data file (format notes, section 12): each guest cluster's place is its own offset, for
 * ever. So nobody counts them, and what is given up can be punched at once: only the same guest bytes can be there again.
 *
 * <p>A raw data file alone is what the guest sees: whatever reads as zeroes is zeroes in the file too, and the file is as
 * long as the disk at least.
 */
public final class ExternalClusters implements DataClusters {

    private final HostFile file;
    private final Geometry geometry;
    private final boolean raw;
    private final boolean unmaps;

    /**
     * The clusters of a data file.
     *
     * @param file the data file, which stays open
     * @param raw whether the file alone is what the guest sees
     * @param unmaps whether host space may be given back
     */
    public ExternalClusters(HostFile file, Geometry geometry, boolean raw, boolean unmaps) {
        this.file = file;
        this.geometry = geometry;
        this.raw = raw;
        this.unmaps = unmaps;
    }

    @Override
    public boolean unmaps() {
        return unmaps;
    }

    @Override
    public HostRun allocate(long guest, int most) throws IOException {
        long first = geometry.clusterStart(guest);
        long end = first + geometry.clusterOffset(most);
        if (end > Limits.MAX_HOST_OFFSET) {
            throw new Qcow2Exception(Kind.NO_SPACE, file.path(), "offsets are at their limit of 2^56");
        }
        // What no entry names may still be in the file from an earlier use.
        long data = file.seekData(first);
        return new HostRun(first, most, data < 0 || data >= end);
    }

    @Override
    public void abandon(HostRun run) {}

    @Override
    public void requireFreeable(long host, long clusters) {}

    @Override
    public void free(long host, long clusters, boolean punch) {}

    @Override
    public void zero(long guest, long length, boolean unmap) throws IOException {
        if (unmap) {
            file.punchHole(guest, length);
        } else if (raw) {
            file.writeZeroes(guest, length);
            file.allocate(guest, length); // where the host could only punch, it may have given space back
        }
    }

    @Override
    public void resize(long from, long to) throws IOException {
        if (!raw) {
            return;
        }
        if (to < from) {
            file.truncate(to);
            return;
        }
        long end = geometry.clusterCeiling(to);
        long tooMuch = Math.min(file.size(), end) - from;
        if (tooMuch > 0) {
            zero(from, tooMuch, unmaps);
        }
        if (file.size() < end) {
            file.truncate(end);
        }
    }

    @Override
    public long allocatedBytes() throws IOException {
        return file.allocatedBytes();
    }
}
