package io.qfuse.qcow2.check;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.check.Finding.OutsideFile;
import io.qfuse.qcow2.check.Finding.Overlap;
import io.qfuse.qcow2.check.Finding.TooManyReferences;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.RefcountWidth;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.TreeMap;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * How many references to each host cluster were found, and of which kind. Takes memory only for stretches of the file
 * that something refers to, at most a third of the heap, and never for what lies behind the end of the file, whatever
 * the tables claim.
 */
final class RefcountTally {

    /** What a cluster is used for, as far as it decides what else may be there. */
    enum Use {
        /** Guest data: shared by snapshots and by compressed streams. */
        DATA(1),
        /** An L2 table: shared by snapshots. */
        L2(2),
        /** Anything that is written in place, so that it must have its clusters for itself. */
        TABLE(3);

        private final int number;

        Use(int number) {
            this.number = number;
        }
    }

    private static final int STRETCH_BITS = 9;

    private final TreeMap<Long, Stretch> stretches = new TreeMap<>(); // by cluster index >> STRETCH_BITS
    private final CheckReport report;
    private final Geometry geometry;
    private final RefcountWidth width;
    private final Path path;
    private final long fileLength;
    private final long most;
    private final long mostBytes = Runtime.getRuntime().maxMemory() / 3;
    private long bytes;
    private long clusters;
    private Stretch last = new Stretch(-1);

    /** The cells of adjacent clusters: {@code count << 2 | use}, a byte each as long as that is enough. */
    private static final class Stretch {

        private static final int OVERHEAD = 160;

        private final long number;
        private byte[] narrow = new byte[1 << STRETCH_BITS];
        private int @Nullable [] wide;

        Stretch(long number) {
            this.number = number;
        }

        int get(int at) {
            return wide == null ? narrow[at] & 0xff : wide[at];
        }

        /** Returns the bytes of memory that it takes more than before. */
        int set(int at, int cell) {
            if (wide != null) {
                wide[at] = cell;
                return 0;
            }
            if (cell <= 0xff) {
                narrow[at] = (byte) cell;
                return 0;
            }
            int[] cells = new int[narrow.length];
            Arrays.setAll(cells, i -> narrow[i] & 0xff);
            cells[at] = cell;
            wide = cells;
            narrow = new byte[0];
            return 3 * cells.length;
        }
    }

    RefcountTally(HostFile file, Geometry geometry, CheckReport report) throws IOException {
        this.report = report;
        this.geometry = geometry;
        this.width = new RefcountWidth(geometry.refcountOrder());
        this.path = file.path();
        this.fileLength = file.size();
        this.most = Math.min(width.max(), Integer.MAX_VALUE >> 2);
        this.clusters = geometry.clustersFor(fileLength);
    }

    /**
     * Counts references to every cluster that a range touches, up to the first that they cannot share with what was
     * counted before.
     *
     * @param what what lies there, for a finding
     * @param offset where it begins
     * @param length its bytes; 0 counts nothing
     * @param times how many references
     * @return whether the file has the range, and nothing is there that excludes it
     */
    boolean add(String what, Use use, long offset, long length, long times) throws Qcow2Exception {
        if (length == 0) {
            return true;
        }
        // The file may end inside its last cluster, and a table or stream may lie in the missing part.
        if (offset < 0 || length < 0 || length > fileLength - offset + geometry.clusterSize() - 1) {
            report.add(new OutsideFile(what, offset, length), times);
            return false;
        }
        long end = geometry.clusterIndex(offset + length - 1) + 1;
        clusters = Math.max(clusters, end);
        for (long cluster = geometry.clusterIndex(offset); cluster < end; cluster++) {
            if (!addOne(cluster, use, times)) {
                report.add(new Overlap(what, geometry.clusterOffset(cluster)), times);
                return false;
            }
        }
        return true;
    }

    private boolean addOne(long cluster, Use use, long times) throws Qcow2Exception {
        Stretch stretch = stretchOf(cluster);
        int at = inStretch(cluster);
        int cell = stretch.get(at);
        long sum = count(cell) + times;
        if (sum > most) {
            report.add(new TooManyReferences(geometry.clusterOffset(cluster), most), sum - most);
            sum = most;
        }
        charge(stretch.set(at, (int) sum << 2 | use.number));
        return cell == 0 || (use != Use.TABLE && (cell & 3) == use.number);
    }

    private Stretch stretchOf(long cluster) throws Qcow2Exception {
        long number = cluster >>> STRETCH_BITS;
        if (last.number != number) {
            Stretch found = stretches.get(number);
            if (found == null) {
                charge((1 << STRETCH_BITS) + Stretch.OVERHEAD);
                found = new Stretch(number);
                stretches.put(number, found);
            }
            last = found;
        }
        return last;
    }

    private void charge(int more) throws Qcow2Exception {
        bytes += more;
        if (bytes > mostBytes) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED,
                    path,
                    "counting its references takes more than the " + (mostBytes >> 20)
                            + " MiB of memory there are for it");
        }
    }

    /** Counts one reference to each of adjacent clusters behind everything that is counted or in the file. */
    void append(long count) throws Qcow2Exception {
        long end = clusters + count;
        while (clusters < end) {
            addOne(clusters++, Use.TABLE, 1);
        }
    }

    /** The references found to a cluster. */
    long get(long cluster) {
        Stretch stretch = stretches.get(cluster >>> STRETCH_BITS);
        return stretch == null ? 0 : count(stretch.get(inStretch(cluster)));
    }

    /** The clusters of the file, the missing part of the last one included where something lies there. */
    long clusters() {
        return clusters;
    }

    /** The clusters that have references, in ascending order. */
    LongStream referenced() {
        return stretches.values().stream()
                .flatMapToLong(stretch -> LongStream.range(
                                stretch.number << STRETCH_BITS, (stretch.number + 1) << STRETCH_BITS)
                        .filter(cluster -> count(stretch.get(inStretch(cluster))) != 0));
    }

    /**
     * Makes the refcount block of an index in the refcount table: what it has to be by what was found.
     *
     * @param block one cluster, overwritten
     * @return whether any count in it is above 0
     */
    boolean fillBlock(long index, byte[] block) {
        Arrays.fill(block, (byte) 0);
        long first = index * geometry.refcountsPerBlock();
        long end = first + geometry.refcountsPerBlock();
        boolean any = false;
        for (Stretch stretch : stretches
                .subMap(first >>> STRETCH_BITS, true, (end - 1) >>> STRETCH_BITS, true)
                .values()) {
            long begin = stretch.number << STRETCH_BITS;
            long stop = Math.min(end, begin + (1 << STRETCH_BITS));
            for (long cluster = Math.max(first, begin); cluster < stop; cluster++) {
                int count = count(stretch.get(inStretch(cluster)));
                if (count != 0) {
                    width.set(block, (int) (cluster - first), count);
                    any = true;
                }
            }
        }
        return any;
    }

    private static int inStretch(long cluster) {
        return (int) cluster & ((1 << STRETCH_BITS) - 1);
    }

    private static int count(int cell) {
        return cell >>> 2;
    }
}
