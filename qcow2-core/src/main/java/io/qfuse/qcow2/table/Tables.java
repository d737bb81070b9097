package io.qfuse.qcow2.table;

import io.qfuse.cache.CacheBudget;
import io.qfuse.cache.CapturedSlice;
import io.qfuse.cache.Slice;
import io.qfuse.cache.SliceCache;
import io.qfuse.cache.SliceConflictException;
import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.guard.Health;
import io.qfuse.qcow2.guard.MetadataClusters;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.util.List;

/**
 * The 64-bit entries of one image's tables by their place in the host file, through the slice cache. The end of a table may lie
 * behind the end of the file, and reads as zeroes there; a whole cluster of it may not.
 *
 * <p>Thread-safe for single entries; who may change which entry when is the business of the locks above.
 */
public final class Tables {

    /** Bytes of an entry of an L1, L2 or refcount table. */
    public static final int ENTRY = 8;

    private final HostFile file;
    private final Health health;
    private final MetadataClusters metadata;
    private final int sliceSize;
    private final int clusterSize;
    private final SliceCache cache;

    /** The tables of one file. */
    public Tables(HostFile file, Geometry geometry, CacheBudget budget, Health health, MetadataClusters metadata) {
        this.file = file;
        this.health = health;
        this.metadata = metadata;
        this.sliceSize = geometry.sliceSize();
        this.clusterSize = geometry.clusterSize();
        this.cache = new SliceCache(budget, this::load, sliceSize);
    }

    /** Nobody refers to what is not there, unless the file was cut off: zeroes would be a wrong answer then. */
    private void load(long offset, byte[] into) throws IOException {
        long cluster = offset & -clusterSize;
        if (cluster >= file.size()) {
            throw health.corrupt("the L2 table or refcount block at host offset 0x" + Long.toHexString(cluster)
                    + " lies behind the end of the file");
        }
        file.read(offset, into);
    }

    /** Bytes of a slice. */
    public int sliceSize() {
        return sliceSize;
    }

    /** The slice of a table of this rank that holds a host offset, for reading. */
    public Slice slice(long at, Rank rank) throws IOException {
        return cache.get(at & -sliceSize, rank.number());
    }

    /**
     * The slice that holds a host offset, for changing; must be {@linkplain #unpin unpinned}. Refused where anything but a
     * table of this rank lies: a change that could not be written later is not made.
     */
    public Slice pin(long at, Rank rank) throws IOException {
        metadata.requireAlone(rank.role(), at & -sliceSize, sliceSize);
        try {
            return cache.pin(at & -sliceSize, rank.number());
        } catch (SliceConflictException e) {
            throw overlap(at, e);
        }
    }

    /** Ends what {@link #pin} began. */
    public void unpin(Slice slice) {
        cache.unpin(slice);
    }

    /** Where in its slice a host offset lies. */
    public int within(long at) {
        return (int) at & (sliceSize - 1);
    }

    /** Reads one entry. */
    public long get(long at, Rank rank) throws IOException {
        return slice(at, rank).getLong(within(at));
    }

    /** Changes one entry. */
    public void set(long at, long entry, Rank rank) throws IOException {
        Slice slice = pin(at, rank);
        try {
            slice.setLong(within(at), entry);
        } finally {
            unpin(slice);
        }
    }

    /** Makes a range of fresh clusters a table of zeroes, in the file and in the cache. */
    public void clear(long offset, long length) throws IOException {
        file.writeZeroes(offset, length);
        drop(offset, length); // behind the write: what is loaded from now on are the zeroes
    }

    /** Forgets a table that is given up, changed or not. */
    public void drop(long offset, long length) throws IOException {
        try {
            cache.discard(offset, length);
        } catch (SliceConflictException e) {
            throw overlap(offset, e);
        }
    }

    private Qcow2Exception overlap(long at, SliceConflictException cause) {
        return health.corrupt("two tables use host offset 0x" + Long.toHexString(at) + ": " + cause.getMessage());
    }

    /** Copies of all changed slices of a rank. */
    public List<CapturedSlice> capture(Rank rank) {
        return cache.capture(rank.number());
    }

    /** Tells that a captured slice is durable. */
    public void written(CapturedSlice slice) {
        cache.written(slice);
    }

    /** Bytes of slices that are changed and not yet durable. */
    public long dirtyBytes() {
        return cache.dirtyBytes();
    }
}
