package io.qfuse.qcow2.scan;

import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.RefcountTableEntry;
import io.qfuse.qcow2.format.RefcountWidth;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Whether clusters that tables name may lie in holes of the file, as they do where metadata were preallocated: then what the file
 * system says of them is of interest. It is told as QEMU tells it, so that maps are the same: where a ninth more clusters are counted than
 * the file has room for.
 */
final class SparseClusters {

    private SparseClusters() {}

    static boolean areIn(HostFile file, Header header) throws IOException {
        Geometry geometry = header.geometry();
        long clusters = geometry.clustersFor(file.size());
        long room = file.allocatedBytes() / geometry.clusterSize();
        long enough = Math.max(room + room / 9, room + 2);
        // A file without holes is not looked into.
        return clusters >= enough && counted(file, header, clusters, enough) >= enough;
    }

    private static long counted(HostFile file, Header header, long clusters, long enough) throws IOException {
        Geometry geometry = header.geometry();
        RefcountWidth width = new RefcountWidth(header.refcountOrder());
        byte[] table = new byte[Math.toIntExact(geometry.clusterOffset(header.refcountTableClusters()))];
        file.read(header.refcountTableOffset(), table);
        ByteBuffer entries = ByteBuffer.wrap(table);
        byte[] block = new byte[geometry.clusterSize()];
        long count = 0;
        for (int i = 0; i < table.length / Long.BYTES && count < enough; i++) {
            long left = clusters - (long) i * geometry.refcountsPerBlock();
            long offset = RefcountTableEntry.blockOffset(entries.getLong(i * Long.BYTES));
            if (left <= 0) {
                break;
            }
            if (offset > 0 && offset < file.size()) {
                file.read(offset, block);
                for (int j = 0; j < Math.min(left, geometry.refcountsPerBlock()); j++) {
                    count += width.get(block, j) == 0 ? 0 : 1;
                }
            }
        }
        return count;
    }
}
