package io.qfuse.qcow2.check;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.Limits;
import io.qfuse.qcow2.guard.HeaderPatch;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.function.LongPredicate;
import java.util.stream.LongStream;

/**
 * A whole new refcount table with all its blocks, behind the end of the file and of everything that anything refers to:
 *
 * <pre>
 *   ... the image as it is | table | block | block | ...
 * </pre>
 *
 * The old table and blocks are not touched; once the header names the new ones, they are free.
 */
final class RefcountRebuild {

    private final HostFile file;
    private final Geometry geometry;
    private final RefcountTally tally;
    private final long first;

    /** The entries of the table that need a block, in ascending order. */
    private final long[] blocks;

    private int tableClusters = 1;

    /**
     * The structure that holds a tally.
     *
     * @param tally all references but those to the refcount structure that there is; from now on those to the new one too
     */
    RefcountRebuild(HostFile file, Header header, RefcountTally tally) throws Qcow2Exception {
        this.file = file;
        this.geometry = header.geometry();
        this.tally = tally;
        this.first = tally.clusters();
        this.blocks = layOut(tally.referenced()
                .map(geometry::refcountTableIndex)
                .filter(new Changes())
                .toArray());
        tally.append(tableClusters + blocks.length);
    }

    /** Lets through what differs from what came before it. */
    private static final class Changes implements LongPredicate {
        private long before = -1;

        @Override
        public boolean test(long value) {
            boolean differs = value != before;
            before = value;
            return differs;
        }
    }

    /** Makes room until the structure counts itself, too; returns the entries that need a block. */
    private long[] layOut(long[] referenced) throws Qcow2Exception {
        long perTableCluster = geometry.clusterSize() / Long.BYTES;
        long firstOwn = Math.max(geometry.refcountTableIndex(first), referenced[referenced.length - 1] + 1);
        long count = referenced.length;
        for (; ; ) {
            long last = geometry.refcountTableIndex(first + tableClusters + count - 1);
            long needed = referenced.length + Math.max(0, last - firstOwn + 1);
            long tableNeeds = last / perTableCluster + 1;
            if (tableNeeds > Limits.MAX_REFCOUNT_TABLE_BYTES >> geometry.clusterBits()
                    || first + tableNeeds + needed > geometry.clusterIndex(Limits.MAX_HOST_OFFSET)) {
                throw new Qcow2Exception(
                        Kind.NO_SPACE,
                        file.path(),
                        "dirty, and no new refcounts can be made: behind the end of the file they would take a table of"
                                + " more than 8 MiB, or lie beyond 2^56");
            }
            if (needed == count && tableNeeds == tableClusters) {
                return LongStream.concat(LongStream.of(referenced), LongStream.rangeClosed(firstOwn, last))
                        .toArray();
            }
            count = needed;
            tableClusters = (int) tableNeeds;
        }
    }

    /** Writes the structure and, once it is durable, names it in the header. */
    void write() throws IOException {
        ByteBuffer table = ByteBuffer.allocate(Math.toIntExact(geometry.clusterOffset(tableClusters)));
        byte[] block = new byte[geometry.clusterSize()];
        for (int i = 0; i < blocks.length; i++) {
            long offset = geometry.clusterOffset(first + tableClusters + i);
            tally.fillBlock(blocks[i], block);
            file.write(offset, block, 0, block.length);
            table.putLong(Long.BYTES * (int) blocks[i], offset);
        }
        file.write(geometry.clusterOffset(first), table.array(), 0, table.capacity());
        file.sync();
        new HeaderPatch(file).refcountTable(geometry.clusterOffset(first), tableClusters);
        file.sync();
    }
}
