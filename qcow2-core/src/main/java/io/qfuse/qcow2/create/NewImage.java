package io.qfuse.qcow2.create;

import io.qfuse.qcow2.CreateOptions;
import io.qfuse.qcow2.CreateOptions.DataFile;
import io.qfuse.qcow2.CreateOptions.Preallocation;
import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.format.Limits;
import io.qfuse.qcow2.format.RefcountWidth;
import io.qfuse.qcow2.format.Subclusters;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/**
 * A new image, planned and checked before the first byte is written. Memory: one cluster.
 *
 * <p>The header is written last, behind a barrier: a file whose writing was cut off is no image.
 */
public final class NewImage {

    private static final int ENTRY = 8;

    /** A table, or several of one kind behind each other, with {@code count} entries in use. */
    private record Table(long offset, long count, int entrySize, long flags) {}

    private final long size;
    private final Geometry geometry;
    private final Layout layout;
    private final byte[] firstCluster;

    private NewImage(long size, Geometry geometry, Layout layout, byte[] firstCluster) {
        this.size = size;
        this.geometry = geometry;
        this.layout = layout;
        this.firstCluster = firstCluster;
    }

    /**
     * Plans an image.
     *
     * @param options what it is to be like, its size given
     * @param path where it is to be, for messages
     * @throws Qcow2Exception of kind UNSUPPORTED where the format cannot hold it
     */
    public static NewImage plan(CreateOptions options, Path path) throws Qcow2Exception {
        Geometry geometry = new Geometry(
                Integer.numberOfTrailingZeros(options.clusterSize()),
                Integer.numberOfTrailingZeros(options.refcountBits()),
                options.extendedL2());
        requirePossible(options, geometry, path);
        long size = (options.size() + Geometry.SECTOR - 1) & -Geometry.SECTOR;
        DataFile dataFile = options.dataFile();
        // A raw data file has to be the disk without a look at the tables, so they say nothing but that.
        boolean preallocated =
                options.preallocation() == Preallocation.METADATA || (dataFile != null && dataFile.raw());
        if (dataFile != null && dataFile.raw() && options.backing() != null) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED, path, "a raw data file would hide the backing file: give only one of them");
        }
        if (preallocated && options.backing() != null) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED, path, "preallocation would hide the backing file: give only one of them");
        }
        Layout layout = Layout.of(geometry, size, preallocated, dataFile != null);
        if (layout.tableClusters() > Limits.MAX_REFCOUNT_TABLE_BYTES >>> geometry.clusterBits()) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED,
                    path,
                    "size is " + size + ", too much to preallocate with clusters of " + options.clusterSize()
                            + " bytes");
        }
        NewHeader.Tables tables = new NewHeader.Tables(
                layout.l1Size(), layout.l1Offset(), layout.tableOffset(), (int) layout.tableClusters());
        return new NewImage(size, geometry, layout, NewHeader.of(options, size, tables, path));
    }

    /** Fails where the format cannot hold so large a disk. */
    static void requirePossible(CreateOptions options, Geometry geometry, Path path) throws Qcow2Exception {
        long most = Limits.MAX_L1_SIZE * geometry.l2Reach();
        if (options.size() > most) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED,
                    path,
                    "size is " + options.size() + ", but clusters of " + options.clusterSize() + " bytes allow at most "
                            + most);
        }
    }

    /** The length of a new external data file: whole clusters where tables name them. */
    public long dataFileLength() {
        return Math.max(size, geometry.clusterOffset(layout.dataClusters()));
    }

    /**
     * Writes the image into an empty file and makes it durable.
     *
     * @param file a file of length 0
     */
    public void writeTo(HostFile file) throws IOException {
        file.truncate(geometry.clusterOffset(layout.clusters()));
        Table refcounts = new Table(layout.tableOffset(), layout.blocks(), ENTRY, 0);
        Table l1 = new Table(layout.l1Offset(), layout.l2Tables(), ENTRY, L1Entry.COPIED);
        Table l2 = new Table(layout.l2Offset(), layout.dataClusters(), geometry.l2EntrySize(), L2Entry.COPIED);
        writeTable(file, refcounts, layout.blocksOffset());
        writeBlocks(file);
        writeTable(file, l1, layout.l2Offset());
        writeTable(file, l2, layout.dataOffset());
        file.sync();
        file.write(0, firstCluster, 0, firstCluster.length);
        file.sync();
    }

    private void writeBlocks(HostFile file) throws IOException {
        RefcountWidth width = new RefcountWidth(geometry.refcountOrder());
        long left = layout.clusters();
        byte[] block = new byte[geometry.clusterSize()];
        for (long i = 0; i < layout.blocks(); i++) {
            int used = (int) Math.min(left, geometry.refcountsPerBlock());
            if (i == 0 || used < geometry.refcountsPerBlock()) {
                block = new byte[geometry.clusterSize()];
                for (int index = 0; index < used; index++) {
                    width.set(block, index, 1);
                }
            }
            file.write(layout.blocksOffset() + geometry.clusterOffset(i), block, 0, block.length);
            left -= used;
        }
    }

    /** Writes the entries of a table, which name one cluster after another; the rest of the table stays zeroes. */
    private void writeTable(HostFile file, Table table, long firstCluster) throws IOException {
        ByteBuffer cluster = ByteBuffer.allocate(geometry.clusterSize());
        long done = 0;
        while (done < table.count) {
            int entries = (int) Math.min(table.count - done, geometry.clusterSize() / table.entrySize);
            cluster.clear();
            for (int i = 0; i < entries; i++) {
                cluster.putLong((firstCluster + geometry.clusterOffset(done + i)) | table.flags);
                if (table.entrySize > ENTRY) {
                    cluster.putLong(Subclusters.allocated(0, Subclusters.COUNT));
                }
            }
            file.write(table.offset + done * table.entrySize, cluster.array(), 0, cluster.position());
            done += entries;
        }
    }
}
