package io.qfuse.qcow2.scan;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.io.BufferPool;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.parallel.Helpers;
import java.io.IOException;

/**
 * A part of the L1 table and some of the L2 tables that it names, read ahead of a walk in ascending order: tables that adjoin
 * each other by one call, and several calls at once.
 */
final class TableWindow implements AutoCloseable {

    private static final int PIECE = 64 << 10;
    private static final int ENTRY = 8;
    private static final int PARTS = 8;

    private final HostFile file;
    private final Header header;
    private final Geometry geometry;
    private final NativeBuffer l1 = BufferPool.shared().take(PIECE);
    private final NativeBuffer tables;
    private long firstL1 = -1; // index of the first entry in l1
    private long firstTable; // the L1 entries from here to endTable have their tables in memory
    private long endTable;
    private long endWanted = Long.MAX_VALUE;

    // Calls to make, by number; tables with consecutive L1 indexes lie one behind the other in memory.
    private final long[] offsets;
    private final long[] addresses;
    private final int[] lengths;
    private int calls;

    TableWindow(HostFile file, Header header, int bytes) {
        this.file = file;
        this.header = header;
        this.geometry = header.geometry();
        this.tables = BufferPool.shared().take(Math.max(bytes, geometry.clusterSize()));
        int most = tables.size() >> geometry.clusterBits();
        this.offsets = new long[most];
        this.addresses = new long[most];
        this.lengths = new int[most];
    }

    /** No L1 entry from this one on is wanted. */
    void endAt(long index) {
        endWanted = index;
    }

    /** Where the L2 table is that an entry of the L1 table names; 0 for none. */
    long l2Offset(long index) throws IOException {
        if (index >= header.l1Size()) {
            return 0;
        }
        if (firstL1 < 0 || index < firstL1 || index >= firstL1 + PIECE / ENTRY) {
            long first = index & -(PIECE / ENTRY);
            int length = (int) Math.min(PIECE, (header.l1Size() - first) * ENTRY);
            file.read(header.l1Offset() + first * ENTRY, l1.address(), length);
            firstL1 = first;
        }
        return L1Entry.l2Offset(Long.reverseBytes(NativeBuffer.getLong(l1.address() + (index - firstL1) * ENTRY)));
    }

    /** How far there are no L2 tables, from an entry that names none on: the next that does, or one that is not wanted. */
    long nextTable(long index) throws IOException {
        long end = Math.min(endWanted, header.l1Size());
        long next = index + 1;
        while (next < end && l2Offset(next) == 0) {
            next++;
        }
        return next;
    }

    /** The address of the L2 table of an L1 entry that names one. */
    long table(long index) throws IOException {
        if (index < firstTable || index >= endTable) {
            read(index);
        }
        return tables.address() + ((index - firstTable) << geometry.clusterBits());
    }

    private void read(long index) throws IOException {
        calls = 0;
        firstTable = index;
        endTable = index;
        long end = Math.min(Math.min(endWanted, header.l1Size()), index + offsets.length);
        for (long next = index; next == index || (next < end && next < firstL1 + PIECE / ENTRY); next++) {
            long offset = l2Offset(next);
            if (offset == 0) {
                break;
            }
            requireTable(next, offset);
            add(offset, tables.address() + ((next - index) << geometry.clusterBits()));
            endTable = next + 1;
        }
        int parts = Math.min(PARTS, calls);
        Helpers.shared().share(parts, part -> {
            for (int call = calls * part / parts; call < calls * (part + 1) / parts; call++) {
                file.read(offsets[call], addresses[call], lengths[call]);
            }
        });
    }

    private void add(long offset, long address) {
        if (calls > 0 && offsets[calls - 1] + lengths[calls - 1] == offset) {
            lengths[calls - 1] += geometry.clusterSize();
            return;
        }
        offsets[calls] = offset;
        addresses[calls] = address;
        lengths[calls++] = geometry.clusterSize();
    }

    private void requireTable(long index, long offset) throws IOException {
        String wrong = geometry.offsetInCluster(offset) != 0
                ? "begins within a cluster"
                : offset >= file.size() ? "lies behind the end of the file" : "";
        if (!wrong.isEmpty()) {
            throw new Qcow2Exception(
                    Kind.CORRUPT,
                    file.path(),
                    "the L2 table at 0x" + Long.toHexString(offset) + " of entry " + index + " of the L1 table "
                            + wrong);
        }
    }

    @Override
    public void close() {
        l1.close();
        tables.close();
    }
}
