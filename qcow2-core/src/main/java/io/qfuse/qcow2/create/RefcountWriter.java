package io.qfuse.qcow2.create;

import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.RefcountWidth;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Gives out the clusters of a new image one behind the other, and writes their refcounts as they become final. For one thread at a
 * time.
 *
 * <ol>
 *   <li>Clusters are given out in ascending order, each once, and never come back.
 *   <li>A refcount block gets the next cluster as soon as the first cluster that it counts is given out, and is written as soon as
 *       nothing that it counts can change any more: blocks in memory are those that one request for clusters reaches into.
 *   <li>A cluster is counted once more only while its block is in memory ({@link #share}).
 * </ol>
 */
final class RefcountWriter {

    private static final int ENTRY = 8;

    private static final class Block {
        final long index;
        final byte[] counts;

        Block(long index, int clusterSize) {
            this.index = index;
            this.counts = new byte[clusterSize];
        }
    }

    private final HostFile file;
    private final Geometry geometry;
    private final RefcountWidth width;
    private final List<Block> open = new ArrayList<>(); // of consecutive indexes
    private long[] places = new long[64];
    private int blocks;
    private long next;

    RefcountWriter(HostFile file, Geometry geometry) {
        this.file = file;
        this.geometry = geometry;
        this.width = new RefcountWidth(geometry.refcountOrder());
    }

    /** The clusters given out so far, which is the first one that is not. */
    long clusters() {
        return next;
    }

    /** Gives out clusters that lie behind each other; the host offset of the first. */
    long take(long count) throws IOException {
        long first = next;
        next += count;
        // The blocks of what was just given out take clusters too, which may need a further block.
        while (blocks <= geometry.refcountTableIndex(next - 1)) {
            if (blocks == places.length) {
                places = Arrays.copyOf(places, 2 * blocks);
            }
            open.add(new Block(blocks, geometry.clusterSize()));
            places[blocks++] = geometry.clusterOffset(next++);
        }
        for (long cluster = first; cluster < next; cluster++) {
            width.set(blockOf(cluster).counts, geometry.refcountBlockIndex(cluster), 1);
        }
        while (open.get(0).index < geometry.refcountTableIndex(next - 1)) {
            write(open.remove(0));
        }
        return geometry.clusterOffset(first);
    }

    /** Counts a cluster once more; false where it is too late for that, or the count is as high as it can be. */
    boolean share(long cluster) {
        if (geometry.refcountTableIndex(cluster) < open.get(0).index) {
            return false;
        }
        byte[] counts = blockOf(cluster).counts;
        long count = width.get(counts, geometry.refcountBlockIndex(cluster));
        if (!width.canAdd(count, 1)) {
            return false;
        }
        width.set(counts, geometry.refcountBlockIndex(cluster), count + 1);
        return true;
    }

    /** Takes clusters for the refcount table, and writes it and the blocks that are left; nothing is given out behind it. */
    TablePlace finish() throws IOException {
        int entries = geometry.clusterSize() / ENTRY;
        long tableClusters = 1;
        // What the table itself and the blocks for it need is counted too: at most one block for so many clusters, and
        // one more.
        while (tableClusters * entries < blocks + 2 + (tableClusters + 2) / (geometry.refcountsPerBlock() - 1)) {
            tableClusters++;
        }
        long offset = take(tableClusters);
        for (Block block : open) {
            write(block);
        }
        ByteBuffer table = ByteBuffer.allocate(Math.multiplyExact(blocks, ENTRY));
        for (int i = 0; i < blocks; i++) {
            table.putLong(places[i]);
        }
        file.write(offset, table.array(), 0, table.capacity());
        return new TablePlace(offset, Math.toIntExact(tableClusters));
    }

    /** Where the refcount table is, and how many clusters it has. */
    record TablePlace(long offset, int clusters) {}

    private Block blockOf(long cluster) {
        return open.get((int) (geometry.refcountTableIndex(cluster) - open.get(0).index));
    }

    private void write(Block block) throws IOException {
        file.write(places[(int) block.index], block.counts, 0, block.counts.length);
    }
}
