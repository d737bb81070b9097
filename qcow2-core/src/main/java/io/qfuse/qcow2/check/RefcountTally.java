package io.qfuse.qcow2.check;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.check.Finding.OutsideFile;
import io.qfuse.qcow2.check.Finding.Overlap;
import io.qfuse.qcow2.check.Finding.TooManyReferences;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.format.RefcountWidth;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * How many references to each host cluster were found, of which kind, and what the active tables' COPIED flags say of it. Takes
 * memory only for stretches of the file that something refers to, most often a byte a cluster and at most a third of the
 * heap, and never for what lies behind the end of the file, whatever the tables claim.
 *
 * <p>The cell of a cluster is {@code count << 4 | flags << 2 | use}; cells of adjacent clusters are a {@link TallyLeaf}, and
 * leaves that lie near each other a node.
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

    private static final int USE = 3;
    private static final int COPIED_SET = 4;
    private static final int COPIED_CLEAR = 8;
    private static final int COUNT_SHIFT = 4;

    private static final int NODE_BITS = 21; // clusters of a node
    private static final int LEAVES = 1 << (NODE_BITS - TallyLeaf.BITS);
    private static final int LEAF_OVERHEAD = 16;
    private static final int NODE_BYTES = 4 * LEAVES + 64;

    private final TreeMap<Long, byte[] @Nullable []> nodes = new TreeMap<>(); // by cluster index >> NODE_BITS
    private final CheckReport report;
    private final Geometry geometry;
    private final RefcountWidth width;
    private final Path path;
    private final long fileLength;
    private final long most;
    private final long mostBytes = Runtime.getRuntime().maxMemory() / 3;
    private long bytes;
    private long clusters;
    private long lastNumber = -1;
    private byte[] @Nullable [] lastNode = new byte[0][];

    RefcountTally(HostFile file, Geometry geometry, CheckReport report) throws IOException {
        this.report = report;
        this.geometry = geometry;
        this.width = new RefcountWidth(geometry.refcountOrder());
        this.path = file.path();
        this.fileLength = file.size();
        this.most = Math.min(width.max(), Integer.MAX_VALUE >> COUNT_SHIFT);
        this.clusters = geometry.clustersFor(fileLength);
    }

    /** What an entry's COPIED flag says, for {@link #add}. */
    static int flag(long entry) {
        return L2Entry.isCopied(entry) ? COPIED_SET : COPIED_CLEAR;
    }

    /** Counts references as below, with a name that is there already. */
    boolean add(String what, Use use, long offset, long length, long times, int flag) throws Qcow2Exception {
        return add(() -> what, use, offset, length, times, flag);
    }

    /**
     * Counts references to every cluster that a range touches, up to the first that they cannot share with what was
     * counted before.
     *
     * @param what what lies there, for a finding
     * @param offset where it begins
     * @param length its bytes; 0 counts nothing
     * @param times how many references
     * @param flag what the {@linkplain #flag flag} of the entry says that refers to it; 0 where that means nothing
     * @return whether the file has the range, and nothing is there that excludes it
     */
    boolean add(Supplier<String> what, Use use, long offset, long length, long times, int flag) throws Qcow2Exception {
        if (length == 0) {
            return true;
        }
        // The file may end inside its last cluster, and a table or stream may lie in the missing part.
        if (offset < 0 || length < 0 || length > fileLength - offset + geometry.clusterSize() - 1) {
            report.add(new OutsideFile(what.get(), offset, length), times);
            return false;
        }
        long end = geometry.clusterIndex(offset + length - 1) + 1;
        clusters = Math.max(clusters, end);
        for (long cluster = geometry.clusterIndex(offset); cluster < end; cluster++) {
            if (!addOne(cluster, use, times, flag)) {
                report.add(new Overlap(what.get(), geometry.clusterOffset(cluster)), times);
                return false;
            }
        }
        return true;
    }

    private boolean addOne(long cluster, Use use, long times, int flag) throws Qcow2Exception {
        byte[] leaf = leafOf(cluster);
        int at = inLeaf(cluster);
        int cell = TallyLeaf.get(leaf, at);
        long sum = count(cell) + times;
        if (sum > most) {
            report.add(new TooManyReferences(geometry.clusterOffset(cluster), most), sum - most);
            sum = most;
        }
        int added = (int) sum << COUNT_SHIFT | (cell & (COPIED_SET | COPIED_CLEAR)) | flag | use.number;
        while (!TallyLeaf.holds(leaf, added)) {
            charge(leaf.length);
            leaf = TallyLeaf.widened(leaf);
            lastNode[inNode(cluster)] = leaf;
        }
        TallyLeaf.set(leaf, at, added);
        return cell == 0 || (use != Use.TABLE && (cell & USE) == use.number);
    }

    /** The leaf of a cluster, made where there is none; its node is the last. */
    private byte[] leafOf(long cluster) throws Qcow2Exception {
        long number = cluster >>> NODE_BITS;
        if (number != lastNumber) {
            byte[][] node = nodes.get(number);
            if (node == null) {
                charge(NODE_BYTES);
                node = new byte[LEAVES][];
                nodes.put(number, node);
            }
            lastNode = node;
            lastNumber = number;
        }
        byte[] leaf = lastNode[inNode(cluster)];
        if (leaf == null) {
            charge(TallyLeaf.CLUSTERS + LEAF_OVERHEAD);
            leaf = new byte[TallyLeaf.CLUSTERS];
            lastNode[inNode(cluster)] = leaf;
        }
        return leaf;
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
            addOne(clusters++, Use.TABLE, 1, 0);
        }
    }

    /** The references found to a cluster. */
    long get(long cluster) {
        byte[] leaf = leaf(cluster);
        return leaf == null ? 0 : count(TallyLeaf.get(leaf, inLeaf(cluster)));
    }

    private byte @Nullable [] leaf(long cluster) {
        byte[][] node = nodes.get(cluster >>> NODE_BITS);
        return node == null ? null : node[inNode(cluster)];
    }

    /** The clusters of the file, the missing part of the last one included where something lies there. */
    long clusters() {
        return clusters;
    }

    /** The clusters that have references, in ascending order. */
    LongStream referenced() {
        return nodes.entrySet().stream()
                .flatMapToLong(node -> LongStream.range(0, LEAVES)
                        .filter(number -> node.getValue()[(int) number] != null)
                        .flatMap(number -> {
                            byte[] leaf = node.getValue()[(int) number];
                            long first = (node.getKey() << NODE_BITS) + (number << TallyLeaf.BITS);
                            return LongStream.range(first, first + TallyLeaf.CLUSTERS)
                                    .filter(cluster -> count(TallyLeaf.get(leaf, inLeaf(cluster))) != 0);
                        }));
    }

    /** What the references to the clusters of a refcount block say of it. */
    enum Block {
        /** There are none. */
        UNUSED,
        /** The flags agree with the counts. */
        USED,
        /** Some flag does not. */
        USED_FLAGS_WRONG
    }

    /**
     * Makes the refcount block of an index in the refcount table: what it has to be by what was found.
     *
     * @param block one cluster, overwritten
     */
    Block fillBlock(long index, byte[] block) {
        Arrays.fill(block, (byte) 0);
        long first = index * geometry.refcountsPerBlock();
        long end = Math.min(first + geometry.refcountsPerBlock(), clusters);
        Block found = Block.UNUSED;
        for (long begin = first; begin < end; begin = (begin | (TallyLeaf.CLUSTERS - 1)) + 1) {
            byte[] leaf = leaf(begin);
            if (leaf != null) {
                int count = (int) Math.min(TallyLeaf.CLUSTERS - inLeaf(begin), end - begin);
                Block part = fill(leaf, inLeaf(begin), count, block, (int) (begin - first));
                found = part.compareTo(found) > 0 ? part : found;
            }
        }
        return found;
    }

    private Block fill(byte[] leaf, int at, int number, byte[] block, int index) {
        int all = 0;
        int wrong = 0;
        for (int i = 0; i < number; i++) {
            int cell = TallyLeaf.get(leaf, at + i);
            if (cell != 0) {
                int count = count(cell);
                all |= count;
                wrong |= cell & (count == 1 ? COPIED_CLEAR : COPIED_SET);
                width.set(block, index + i, count);
            }
        }
        if (all == 0) {
            return Block.UNUSED;
        }
        return wrong == 0 ? Block.USED : Block.USED_FLAGS_WRONG;
    }

    private static int inNode(long cluster) {
        return (int) (cluster >>> TallyLeaf.BITS) & (LEAVES - 1);
    }

    private static int inLeaf(long cluster) {
        return (int) cluster & (TallyLeaf.CLUSTERS - 1);
    }

    private static int count(int cell) {
        return cell >>> COUNT_SHIFT;
    }
}
