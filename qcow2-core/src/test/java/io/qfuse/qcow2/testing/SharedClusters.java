package io.qfuse.qcow2.testing;

import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.format.RefcountTableEntry;
import io.qfuse.qcow2.format.RefcountWidth;
import io.qfuse.qcow2.io.HeaderReader;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Makes clusters of an image shared, by a snapshot or by streams; for images that one refcount block counts all of. */
public final class SharedClusters {

    private final MemoryHostFile image;
    private final Header header;
    private final Geometry geometry;
    private final RefcountWidth width;
    private final long block;

    private SharedClusters(MemoryHostFile image) throws IOException {
        this.image = image;
        this.header = HeaderReader.read(image);
        this.geometry = header.geometry();
        this.width = new RefcountWidth(geometry.refcountOrder());
        this.block = RefcountTableEntry.blockOffset(word(header.refcountTableOffset()));
    }

    /** Gives an image snapshot 1, called "s": what it holds now. */
    public static void snapshot(MemoryHostFile image) throws IOException {
        new SharedClusters(image).takeSnapshot();
    }

    private void takeSnapshot() throws IOException {
        long l1 = geometry.clusterCeiling(image.size());
        long table = l1 + geometry.clusterSize();
        for (int i = 0; i < header.l1Size(); i++) {
            long entry = word(header.l1Offset() + 8L * i) & ~L1Entry.COPIED;
            set(header.l1Offset() + 8L * i, entry);
            set(l1 + 8L * i, entry);
            if (entry != 0) {
                share(L1Entry.l2Offset(entry));
            }
        }
        count(l1, 1);
        count(table, 1);
        ByteBuffer record = ByteBuffer.allocate(64);
        record.putLong(l1).putInt(header.l1Size()).putShort((short) 1).putShort((short) 1);
        record.putInt(36, 16).putLong(48, header.size()).put(56, (byte) '1').put(57, (byte) 's');
        image.write(table, record.array(), 0, record.capacity());
        image.write(60, ByteBuffer.allocate(12).putInt(1).putLong(table).array(), 0, 12);
    }

    private void share(long l2) throws IOException {
        count(l2, 1);
        for (long at = l2; at < l2 + geometry.clusterSize(); at += geometry.l2EntrySize()) {
            long entry = word(at);
            if (L2Entry.isCompressed(entry)) {
                count(geometry.clusterStart(L2Entry.streamOffset(entry, geometry.clusterBits())), 1);
            } else if (L2Entry.hostOffset(entry) != 0) {
                count(L2Entry.hostOffset(entry), 1);
                set(at, entry & ~L2Entry.COPIED);
            }
        }
    }

    private void count(long offset, int more) {
        byte[] counts = image.bytes(block, geometry.clusterSize());
        int index = (int) geometry.clusterIndex(offset);
        width.set(counts, index, width.get(counts, index) + more);
        image.write(block, counts, 0, counts.length);
    }

    /**
     * Moves all streams of one sector into the place of the first one, one behind the other, so that they share its cluster, and
     * gives up the places of the others.
     */
    public static void pack(MemoryHostFile image) throws IOException {
        new SharedClusters(image).pack();
    }

    private void pack() {
        long l2 = L1Entry.l2Offset(word(header.l1Offset()));
        long first = 0;
        int packed = 0;
        for (long at = l2; at < l2 + geometry.clusterSize() && packed < geometry.clusterSize() / 512; at += 8) {
            long entry = word(at);
            if (L2Entry.isCompressed(entry) && L2Entry.streamLength(entry, geometry.clusterBits()) == 512) {
                long from = L2Entry.streamOffset(entry, geometry.clusterBits());
                first = packed == 0 ? from : first;
                long to = first + 512L * packed++;
                image.write(to, image.bytes(from, 512), 0, 512);
                set(at, entry - from + to);
                count(from, -1);
                count(first, 1);
            }
        }
    }

    private long word(long at) {
        return ByteBuffer.wrap(image.bytes(at, 8)).getLong();
    }

    private void set(long at, long word) {
        image.write(at, ByteBuffer.allocate(8).putLong(word).array(), 0, 8);
    }
}
