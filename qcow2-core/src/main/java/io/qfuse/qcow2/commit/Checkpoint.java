package io.qfuse.qcow2.commit;

import io.qfuse.cache.CapturedSlice;
import io.qfuse.qcow2.DiskStatistics.Checkpoints;
import io.qfuse.qcow2.alloc.ClusterAllocator;
import io.qfuse.qcow2.alloc.PendingFrees;
import io.qfuse.qcow2.alloc.RefcountTableLocation;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderField;
import io.qfuse.qcow2.guard.HeaderPatch;
import io.qfuse.qcow2.guard.Health;
import io.qfuse.qcow2.guard.MetadataClusters;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.map.ClusterMap;
import io.qfuse.qcow2.map.L1Location;
import io.qfuse.qcow2.store.GuestData;
import io.qfuse.qcow2.table.Rank;
import io.qfuse.qcow2.table.Tables;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The ordered flush: makes all that was written before it durable, so that at every moment <i>what is on disk names only
 * what is on disk</i>.
 *
 * <h2>What</h2>
 *
 * <ol>
 *   <li>Frees are cut first, then L1, L2 and refcounts are captured in this order. Writers work the other way round
 *       (count, data, L2, L1), so what was captured names only what is captured after it or lies in the file already,
 *       and every cut free is unlinked in what was captured.
 *   <li>What was captured is written bottom-up: refcount blocks, refcount table, L2, L1, with a barrier before each rank
 *       that follows a write. A table that has moved is written before the header names it.
 *   <li>Only behind the last barrier are the cut frees released: they may be reused now.
 *   <li>A slice is clean only once it is durable; a failed write leaves everything to the next checkpoint.
 *   <li>A failed barrier is for ever: nobody can tell what it lost, so no later flush claims success.
 * </ol>
 *
 * <h2>Concurrency</h2>
 *
 * One checkpoint runs at a time, and takes no lock over guest clusters: reads and writes go on. Flushes that wait for a
 * running one join the next, so that many callers share one (group commit). Nobody may wait for a checkpoint while
 * holding any other lock of the image.
 *
 * <h2>Why not write-ahead or soft updates</h2>
 *
 * The format has no log, and dependencies between single slices would have to be followed on each eviction. Dirty slices
 * are simply kept until a checkpoint, and their number is bounded by running one.
 */
public final class Checkpoint {

    private static final long NOTHING = -1;

    private final HostFile file;
    private final GuestData data;
    private final Tables tables;
    private final ClusterAllocator allocator;
    private final ClusterMap map;
    private final Health health;
    private final SliceWriter slices;
    private final HeaderPatch header;

    /** Flushes that were asked for. */
    private final AtomicLong asked = new AtomicLong();

    /** Held by the running checkpoint; protects all fields below it. */
    private final ReentrantLock running = new ReentrantLock();

    /** All flushes up to this number of {@link #asked} are done. */
    private long done;

    /** The virtual size, where a failed write may have left another one in the header; else {@link #NOTHING}; guarded by running. */
    private long owedSize = NOTHING;

    private L1Location durableL1;
    private RefcountTableLocation durableRefcountTable;

    /** Changed by the running checkpoint alone. */
    private volatile Checkpoints ran = Checkpoints.NONE;

    private final LongAdder awaited = new LongAdder();

    /** The checkpoints of one image. */
    public Checkpoint(
            HostFile file,
            GuestData data,
            Tables tables,
            ClusterAllocator allocator,
            ClusterMap map,
            Health health,
            MetadataClusters metadata,
            Header header) {
        this.file = file;
        this.data = data;
        this.tables = tables;
        this.allocator = allocator;
        this.map = map;
        this.health = health;
        this.slices = new SliceWriter(file, metadata);
        this.header = new HeaderPatch(file, metadata);
        this.durableL1 = new L1Location(header.l1Offset(), header.l1Size());
        this.durableRefcountTable =
                new RefcountTableLocation(header.refcountTableOffset(), header.refcountTableClusters());
    }

    /** Returns when everything that was written before the call is durable. */
    public void run() throws IOException {
        long mine = asked.incrementAndGet();
        running.lock();
        try {
            if (done < mine) {
                long joined = asked.get();
                runTimed();
                done = joined;
            }
        } finally {
            running.unlock();
        }
    }

    /** The same, asked for because too much waits to become durable. */
    public void relieve() throws IOException {
        awaited.increment();
        run();
    }

    /** How many have run, and for how long; told without waiting for the one that runs. */
    public Checkpoints statistics() {
        Checkpoints so = ran;
        return new Checkpoints(so.count(), so.nanos(), so.longestNanos(), awaited.sum());
    }

    private void runTimed() throws IOException {
        long begun = System.nanoTime();
        try {
            runOnce();
        } finally {
            ran = ran.ran(System.nanoTime() - begun);
        }
    }

    private void runOnce() throws IOException {
        health.requireNotStopped();
        putBackSize();
        List<PendingFrees.Free> frees = allocator.cutFrees();
        boolean durable = false;
        try {
            ClusterMap.Captured l1 = map.captureL1();
            List<CapturedSlice> l2 = tables.capture(Rank.L2);
            ClusterAllocator.Captured refcounts = allocator.capture();
            writeRefcounts(refcounts);
            writeRank(Rank.L2, l2);
            writeL1(l1);
            barrier();
            durable = true;
            tellWritten(l1.slices());
            tellWritten(l2);
            tellWritten(refcounts.table());
            tellWritten(refcounts.blocks());
        } finally {
            if (!durable) {
                allocator.restoreFrees(frees);
            }
        }
        allocator.release(frees);
    }

    private void writeRefcounts(ClusterAllocator.Captured refcounts) throws IOException {
        slices.write(Rank.REFCOUNT_BLOCK, refcounts.blocks());
        writeRank(Rank.REFCOUNT_TABLE, refcounts.table());
        if (!refcounts.location().equals(durableRefcountTable)) {
            barrier();
            header.refcountTable(
                    refcounts.location().offset(), refcounts.location().clusters());
            barrier();
            durableRefcountTable = refcounts.location();
        }
    }

    private void writeL1(ClusterMap.Captured l1) throws IOException {
        writeRank(Rank.L1, l1.slices());
        if (!l1.location().equals(durableL1)) {
            barrier();
            header.l1(l1.location().entries(), l1.location().offset());
            barrier();
            durableL1 = l1.location();
        }
    }

    /** Writes a rank behind a barrier, so that all it names is durable. */
    private void writeRank(Rank rank, List<CapturedSlice> captured) throws IOException {
        if (!captured.isEmpty()) {
            barrier();
            slices.write(rank, captured);
        }
    }

    /**
     * Makes the header say another virtual size, durably. A write that failed may have written: then the header says the old
     * size again before any flush succeeds.
     */
    public void storeSize(long from, long to) throws IOException {
        running.lock();
        try {
            owedSize = from;
            header.u64(HeaderField.SIZE, to);
            owedSize = NOTHING;
            barrier();
        } catch (IOException e) {
            tryToPutBackSize(e);
            throw e;
        } finally {
            running.unlock();
        }
    }

    private void tryToPutBackSize(IOException failure) {
        try {
            putBackSize();
        } catch (IOException e) {
            failure.addSuppressed(e); // the next checkpoint tries again
        }
    }

    private void putBackSize() throws IOException {
        if (owedSize != NOTHING) {
            header.u64(HeaderField.SIZE, owedSize);
            owedSize = NOTHING;
        }
    }

    /** Changes single fields of the header; the caller orders the changes by barriers. */
    public HeaderPatch header() {
        return header;
    }

    /**
     * Makes what was written to the image durable, guest data first; costs nothing where nothing was written since the
     * last barrier.
     */
    public void barrier() throws IOException {
        try {
            data.sync();
            file.sync();
        } catch (IOException e) {
            throw health.flushFailed(e);
        }
    }

    private void tellWritten(List<CapturedSlice> rank) {
        rank.forEach(tables::written);
    }
}
