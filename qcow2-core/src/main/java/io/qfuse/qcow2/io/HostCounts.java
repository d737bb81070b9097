package io.qfuse.qcow2.io;

import io.qfuse.qcow2.DiskStatistics.Host;
import java.util.concurrent.atomic.LongAdder;

/**
 * The system calls on any number of host files, as those of one chain. Counting takes a few nanoseconds, and threads that count
 * do not wait for each other.
 */
public final class HostCounts {

    private final LongAdder reads = new LongAdder();
    private final LongAdder readBytes = new LongAdder();
    private final LongAdder writes = new LongAdder();
    private final LongAdder writtenBytes = new LongAdder();
    private final LongAdder syncs = new LongAdder();
    private final LongAdder syncNanos = new LongAdder();

    void read(long bytes) {
        reads.increment();
        readBytes.add(bytes);
    }

    void wrote(long bytes) {
        writes.increment();
        writtenBytes.add(bytes);
    }

    void synced(long nanos) {
        syncs.increment();
        syncNanos.add(nanos);
    }

    /** What has been counted so far. */
    public Host sum() {
        return new Host(reads.sum(), readBytes.sum(), writes.sum(), writtenBytes.sum(), syncs.sum(), syncNanos.sum());
    }
}
