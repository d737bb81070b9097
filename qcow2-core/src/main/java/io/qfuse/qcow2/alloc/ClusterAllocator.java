package io.qfuse.qcow2.alloc;

import io.qfuse.cache.CapturedSlice;
import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.guard.Health;
import io.qfuse.qcow2.guard.MetadataClusters;
import io.qfuse.qcow2.guard.MetadataRole;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.table.Rank;
import io.qfuse.qcow2.table.Tables;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Gives out clusters of the host file and takes them back.
 *
 * <h2>What</h2>
 *
 * A cluster is free when its refcount is 0. The search is first fit from a hint that falls when clusters come free, so
 * images stay compact, and hands out runs, so that a large write takes the lock once.
 *
 * <h2>Freed is not free</h2>
 *
 * Clusters that were linked anywhere go through {@link #free}: their count stays until {@link #release}, which a
 * checkpoint calls when no durable table names them any more. Only a run that was never linked may go back at once
 * ({@link #abandon}).
 *
 * <h2>Tables</h2>
 *
 * Clusters for tables are claimed with their role while the lock is held, and what is claimed is never given out, whatever
 * its refcount says ({@link MetadataClusters}). A cluster whose count falls to 0 is no metadata any more.
 *
 * <h2>Why one plain lock</h2>
 *
 * A count shares its byte with its neighbours, blocks describe themselves, and growth moves the table: finer locks would
 * save little, since a run costs one hold however long it is.
 */
public final class ClusterAllocator {

    /** Host offsets end here (section 4): entries have no more bits. */
    private static final long MAX_OFFSET = 1L << 56;

    private final HostFile file;
    private final Tables tables;
    private final Geometry geometry;

    /** Protects all fields below it, every refcount slice and every refcount table slice. */
    private final ReentrantLock lock = new ReentrantLock();

    private final MetadataClusters metadata;
    private final Refcounts refcounts;
    private final PendingFrees pending;

    /** No cluster below this one is free. */
    private long hint;

    /** An allocator over the refcounts that the header names. */
    public ClusterAllocator(HostFile file, Tables tables, Header header, Health health, MetadataClusters metadata) {
        this.file = file;
        this.tables = tables;
        this.geometry = header.geometry();
        this.metadata = metadata;
        this.refcounts = new Refcounts(file, tables, header, health, metadata);
        this.pending = new PendingFrees(geometry.clusterBits());
    }

    /** Allocates between one cluster and {@code most} adjacent ones, each with refcount 1. */
    public HostRun allocate(int most) throws IOException {
        lock.lock();
        try {
            for (; ; ) {
                long first = refcounts.findFree(hint);
                if (!refcounts.cover(first, -1, pending)) {
                    hint = first;
                    int count = 1;
                    while (count < most && refcounts.isCovered(first + count) && refcounts.get(first + count) == 0) {
                        count++;
                    }
                    return take(first, count);
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /** Allocates exactly {@code count} adjacent clusters, each with refcount 1, for a table whose clusters have a role. */
    public HostRun allocateTable(MetadataRole role, int count) throws IOException {
        lock.lock();
        try {
            HostRun run = allocateAdjacent(count);
            metadata.claim(role, geometry.clusterIndex(run.offset()), count);
            return run;
        } finally {
            lock.unlock();
        }
    }

    /** Allocates exactly {@code count} adjacent clusters, each with refcount 1. */
    public HostRun allocateAdjacent(int count) throws IOException {
        lock.lock();
        try {
            long first = refcounts.findFree(hint);
            int found = 0;
            while (found < count) {
                long next = refcounts.findFree(first + found);
                if (next != first + found) {
                    first = next;
                    found = 0;
                }
                if (refcounts.cover(next, found > 0 ? first : -1, pending)) {
                    // The new block took the first of the clusters found so far, or the one that it was made for.
                    first = refcounts.findFree(first);
                    found = 0;
                } else {
                    found++;
                }
            }
            return take(first, count);
        } finally {
            lock.unlock();
        }
    }

    private HostRun take(long first, int count) throws IOException {
        if (first + count > geometry.clusterIndex(MAX_OFFSET)) {
            throw new Qcow2Exception(Kind.NO_SPACE, file.path(), "host offsets are at their limit of 2^56");
        }
        metadata.requireFree(first, count);
        for (long cluster = first; cluster < first + count; cluster++) {
            try {
                refcounts.take(cluster);
            } catch (IOException e) {
                pending.add(geometry.clusterOffset(first), cluster - first, false);
                throw e;
            }
        }
        boolean fresh = first >= metadata.end();
        metadata.raiseEnd(first + count);
        if (first == hint) {
            hint = first + count;
        }
        return new HostRun(geometry.clusterOffset(first), count, fresh);
    }

    /** Takes back clusters that no table has ever named. */
    public void abandon(HostRun run) throws IOException {
        lock.lock();
        try {
            drop(new PendingFrees.Free(run.offset(), run.clusters(), false));
        } finally {
            lock.unlock();
        }
    }

    /** Whether a cluster has one reference only and no table lies there, so that who holds it may write it in place. */
    public boolean isSole(long offset) throws IOException {
        lock.lock();
        try {
            return refcounts.get(geometry.clusterIndex(offset)) == 1
                    && metadata.at(offset).isEmpty();
        } finally {
            lock.unlock();
        }
    }

    /** Lets clusters that an L2 entry names be given up; asked before the entry changes. */
    public void requireDataFreed(long offset, long clusters) throws IOException {
        metadata.requireDataFreed(offset, clusters);
    }

    /** Gives up one reference to each of some clusters; the caller has removed it from every table in memory. */
    public void free(long offset, long clusters, boolean punch) {
        lock.lock();
        try {
            pending.add(offset, clusters, punch);
        } finally {
            lock.unlock();
        }
    }

    /** The references that were given up so far, for the checkpoint that makes it durable. */
    public List<PendingFrees.Free> cutFrees() {
        lock.lock();
        try {
            return pending.cut();
        } finally {
            lock.unlock();
        }
    }

    /** Puts back what {@link #cutFrees} took, since the checkpoint failed. */
    public void restoreFrees(List<PendingFrees.Free> frees) {
        lock.lock();
        try {
            pending.restore(frees);
        } finally {
            lock.unlock();
        }
    }

    /** Lowers the counts of what {@link #cutFrees} took: the unlinking is durable now. */
    public void release(List<PendingFrees.Free> frees) throws IOException {
        for (int i = 0; i < frees.size(); i++) {
            lock.lock();
            try {
                release(frees.get(i));
            } catch (IOException e) {
                pending.restore(frees.subList(i + 1, frees.size()));
                throw e;
            } finally {
                lock.unlock();
            }
        }
    }

    private void release(PendingFrees.Free free) throws IOException {
        drop(free);
        if (free.punch()) {
            long first = geometry.clusterIndex(free.offset());
            punchUnused(first, first + free.clusters());
        }
    }

    /** Under the lock, so that nobody has been given one of these clusters yet. */
    private void punchUnused(long first, long end) throws IOException {
        long unused = first;
        for (long cluster = first; cluster < end; cluster++) {
            if (refcounts.get(cluster) != 0) {
                punch(unused, cluster);
                unused = cluster + 1;
            }
        }
        punch(unused, end);
    }

    private void punch(long first, long end) throws IOException {
        if (first < end) {
            metadata.requireFree(first, end - first);
            file.punchHole(geometry.clusterOffset(first), geometry.clusterOffset(end - first));
        }
    }

    /** Lowers the counts; those that cannot be lowered now are so behind the next checkpoint. */
    private void drop(PendingFrees.Free free) throws IOException {
        for (long done = 0; done < free.clusters(); done++) {
            long offset = free.offset() + geometry.clusterOffset(done);
            try {
                if (refcounts.drop(geometry.clusterIndex(offset)) == 0) {
                    hint = Math.min(hint, geometry.clusterIndex(offset));
                }
            } catch (IOException e) {
                pending.add(offset, free.clusters() - done, free.punch());
                throw e;
            }
        }
    }

    /** How many entries wait for a checkpoint: a measure of the memory they take. */
    public int pendingFrees() {
        lock.lock();
        try {
            return pending.size();
        } finally {
            lock.unlock();
        }
    }

    /**
     * One moment's state of the refcounts.
     *
     * @param location where the table lies
     * @param table the changed slices of the table
     * @param blocks the changed slices of blocks
     */
    public record Captured(RefcountTableLocation location, List<CapturedSlice> table, List<CapturedSlice> blocks) {}

    /** Copies all that has changed, together with where the table lies, at one moment. */
    public Captured capture() {
        lock.lock();
        try {
            return new Captured(
                    refcounts.location(), tables.capture(Rank.REFCOUNT_TABLE), tables.capture(Rank.REFCOUNT_BLOCK));
        } finally {
            lock.unlock();
        }
    }
}
