package io.qfuse.qcow2.check;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.check.Finding.OutsideFile;
import io.qfuse.qcow2.check.Finding.TooManyReferences;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.RefcountWidth;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * How many references to each host cluster were found. Takes memory only for stretches of the file that something
 * refers to, and never for what lies behind the end of the file, whatever the tables claim.
 */
final class RefcountTally {

    static final int STRETCH_BITS = 9;
    private static final int MAX_STRETCHES = 256 << 10; // of 2 KiB: enough for 8 TiB in use with 64 KiB clusters

    private final TreeMap<Long, int[]> stretches = new TreeMap<>(); // by cluster index >> STRETCH_BITS
    private final CheckReport report;
    private final Geometry geometry;
    private final Path path;
    private final long fileLength;
    private final long most;
    private long clusters;

    RefcountTally(HostFile file, Geometry geometry, CheckReport report) throws IOException {
        this.report = report;
        this.geometry = geometry;
        this.path = file.path();
        this.fileLength = file.size();
        this.most = Math.min(new RefcountWidth(geometry.refcountOrder()).max(), Integer.MAX_VALUE);
        this.clusters = geometry.clustersFor(fileLength);
    }

    /**
     * Counts references to every cluster that a range touches.
     *
     * @param what what lies there, for a finding
     * @param offset where it begins
     * @param length its bytes; 0 counts nothing
     * @param times how many references
     * @return whether the file has the range
     */
    boolean add(String what, long offset, long length, long times) throws Qcow2Exception {
        if (length == 0) {
            return true;
        }
        // The file may end inside its last cluster, and a table or stream may lie in the missing part.
        if (offset < 0 || length < 0 || length > fileLength - offset + geometry.clusterSize() - 1) {
            report.add(new OutsideFile(what, offset, length), times);
            return false;
        }
        long last = geometry.clusterIndex(offset + length - 1);
        for (long cluster = geometry.clusterIndex(offset); cluster <= last; cluster++) {
            addOne(cluster, times);
        }
        clusters = Math.max(clusters, last + 1);
        return true;
    }

    private void addOne(long cluster, long times) throws Qcow2Exception {
        int[] stretch = stretches.computeIfAbsent(cluster >>> STRETCH_BITS, key -> new int[1 << STRETCH_BITS]);
        if (stretches.size() > MAX_STRETCHES) {
            throw new Qcow2Exception(Kind.UNSUPPORTED, path, "too scattered to be checked in memory");
        }
        int at = (int) cluster & ((1 << STRETCH_BITS) - 1);
        long sum = stretch[at] + times;
        if (sum > most) {
            report.add(new TooManyReferences(geometry.clusterOffset(cluster), most), sum - most);
            sum = most;
        }
        stretch[at] = (int) sum;
    }

    /** The references found to a cluster. */
    long get(long cluster) {
        int @Nullable [] stretch = stretches.get(cluster >>> STRETCH_BITS);
        return stretch == null ? 0 : stretch[(int) cluster & ((1 << STRETCH_BITS) - 1)];
    }

    /** The clusters of the file, the missing part of the last one included where something lies there. */
    long clusters() {
        return clusters;
    }

    /** Which stretches of {@code 1 << STRETCH_BITS} clusters have references, in ascending order. */
    Set<Long> stretches() {
        return stretches.keySet();
    }
}
