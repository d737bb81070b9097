package io.qfuse.qcow2.check;

import io.qfuse.qcow2.io.BufferPool;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import java.io.IOException;

/**
 * Some L2 tables that are read together: those that lie close to each other by one call, and such calls by several
 * threads at once. Filled by one thread; {@link #read} may be called for different parts at once.
 */
final class L2Batch implements AutoCloseable {

    private static final int BYTES = 2 << 20;

    /** Reading over a gap of this size is cheaper than another call. */
    private static final int GAP = 8 << 10;

    private static final int PARTS = 8;

    private final HostFile file;
    private final int tableSize;
    private final NativeBuffer memory = BufferPool.shared().take(BYTES);

    // By table:
    private final long[] offsets;
    private final long[] addresses;
    private final long[] times;
    private final long[] activeTimes;
    private int tables;

    // By run, where the last is still growing:
    private final long[] runOffsets;
    private final long[] runAddresses;
    private final int[] runLengths;
    private int runs;
    private int used;

    L2Batch(HostFile file, int tableSize) {
        this.file = file;
        this.tableSize = tableSize;
        int most = BYTES / tableSize;
        this.offsets = new long[most];
        this.addresses = new long[most];
        this.times = new long[most];
        this.activeTimes = new long[most];
        this.runOffsets = new long[most];
        this.runAddresses = new long[most];
        this.runLengths = new int[most];
    }

    void clear() {
        tables = 0;
        runs = 0;
        used = 0;
    }

    /** Adds a table that lies behind the one that was added last; false where there is no room for it. */
    boolean add(long offset, long named, long namedByActive) {
        if (tables == offsets.length) {
            return false;
        }
        long end = runs == 0 ? 0 : runOffsets[runs - 1] + runLengths[runs - 1];
        boolean joins = runs > 0 && offset - end <= GAP;
        int more = joins ? (int) Math.max(0, offset + tableSize - end) : tableSize;
        if (used + more > BYTES) {
            return false;
        }
        if (joins) {
            runLengths[runs - 1] += more;
        } else {
            runOffsets[runs] = offset;
            runAddresses[runs] = memory.address() + used;
            runLengths[runs++] = tableSize;
        }
        used += more;
        offsets[tables] = offset;
        addresses[tables] = runAddresses[runs - 1] + offset - runOffsets[runs - 1];
        times[tables] = named;
        activeTimes[tables++] = namedByActive;
        return true;
    }

    boolean isEmpty() {
        return tables == 0;
    }

    /** How many parts there are to read. */
    int parts() {
        return Math.min(runs, PARTS);
    }

    void read(int part) throws IOException {
        int parts = parts();
        for (int run = runs * part / parts; run < runs * (part + 1) / parts; run++) {
            file.read(runOffsets[run], runAddresses[run], runLengths[run]);
        }
    }

    /** Visits all tables, which have been read. */
    void visit(L2Table table, TableWalk.L2Visitor visitor) throws IOException {
        for (int i = 0; i < tables; i++) {
            table.at(addresses[i], offsets[i], times[i], activeTimes[i]);
            visitor.visit(table);
        }
    }

    @Override
    public void close() {
        memory.close();
    }
}
