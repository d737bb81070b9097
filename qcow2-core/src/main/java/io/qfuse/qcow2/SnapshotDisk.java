package io.qfuse.qcow2;

import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.data.GuestReader;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.SnapshotRecord;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The state of an internal snapshot, read beside the present state of the same image, which may be written meanwhile.
 * Thread-safe.
 *
 * <h2>Why it never changes</h2>
 *
 * What a snapshot refers to (its L1 table, L2 tables, host clusters, streams) is counted for it, and nobody takes
 * that reference away while the image is open. So the present state
 *
 * <ol>
 *   <li>never gives such a cluster out anew: giving up its own reference leaves the count at 1 or more;
 *   <li>never punches it: only clusters whose count falls to 0 are;
 *   <li>never writes it in place: COPIED on an entry says that its own reference is the only one, and it sets COPIED on
 *       what it has just allocated and on nothing else. An L2 table shared with a snapshot is copied before the first
 *       change ({@code ClusterMap.makeOwn}), and that the old one may now have a count of 1 is of no concern: only the
 *       snapshot still names it, and the COPIED bits in its tables are not looked at.
 * </ol>
 *
 * <p>Hence slices of its tables are never dirty. They lie in the image's own cache, found by their place in the file, and
 * tables that both states name are there once. A slice lies within one cluster, so it never holds a piece of somebody
 * else's. No hold excludes readers of snapshots from writers, for there is nothing that they could disturb each other in.
 *
 * <h2>Why nothing is opened or closed</h2>
 *
 * A view is the place of its L1 table and a few references to what the image has open anyway, some 300 bytes: less than
 * a listing takes for the name. All that is large is in the image's caches, which are bounded.
 *
 * <p>A snapshot whose tables are damaged fails its own readers, and stops nobody else.
 */
final class SnapshotDisk implements Disk {

    /** Makes readers of snapshots. */
    @FunctionalInterface
    interface Opener {

        /** A reader of a snapshot whose L1 table makes sense. */
        GuestReader open(SnapshotRecord snapshot) throws IOException;
    }

    private final Layer image;
    private final Path path;
    private final SnapshotRecord snapshot;
    private final long size;
    private final Opener opener;

    /** Made by the first who reads; two at once may both make one. */
    private volatile @Nullable GuestReader reader;

    /**
     * A view that nothing has been looked at for.
     *
     * @param image the open image, told for the space that it takes
     * @param declared the virtual size that the image says the snapshot has
     */
    SnapshotDisk(Layer image, Path path, SnapshotRecord snapshot, long declared, Opener opener) {
        this.image = image;
        this.path = path;
        this.snapshot = snapshot;
        this.size = Math.max(0, declared) & -Geometry.SECTOR;
        this.opener = opener;
    }

    /** As the image says, whether or not the rest of the snapshot makes sense; 0 where that is below 0. */
    @Override
    public long size() {
        return size;
    }

    @Override
    public boolean writable() {
        return false;
    }

    /** What the image with all its snapshots takes, as far as this disk could: how much is its own is not counted. */
    @Override
    public long allocatedBytes() throws IOException {
        return Math.min(size, image.allocatedBytes());
    }

    @Override
    public Optional<HostAccess> access() throws IOException {
        return image.access();
    }

    /** Reads; also of no bytes it fails where the snapshot cannot be read at all. */
    @Override
    public void read(long offset, long address, int length) throws IOException {
        GuestReader from = reader();
        requireInside(offset, length);
        from.read(offset, address, length);
    }

    @Override
    public Extent nextExtent(long offset) throws IOException {
        GuestReader from = reader();
        requireInside(offset, 1);
        return from.nextExtent(offset, size - offset);
    }

    private GuestReader reader() throws IOException {
        GuestReader there = reader;
        if (there == null) {
            there = opener.open(snapshot);
            reader = there;
        }
        return there;
    }

    private void requireInside(long offset, int length) throws Qcow2Exception {
        if (offset < 0 || length < 0 || length > size - offset) {
            throw new Qcow2Exception(
                    Kind.OUT_OF_RANGE,
                    path,
                    length + " bytes at " + offset + " do not lie within snapshot " + snapshot.id() + " of " + size
                            + " bytes");
        }
    }

    @Override
    public void write(long offset, long address, int length) throws IOException {
        throw readOnly();
    }

    @Override
    public void writeZeroes(long offset, long length, boolean unmap) throws IOException {
        throw readOnly();
    }

    @Override
    public void allocate(long offset, long length) throws IOException {
        throw readOnly();
    }

    @Override
    public void resize(long newSize) throws IOException {
        throw readOnly();
    }

    private Qcow2Exception readOnly() {
        return new Qcow2Exception(Kind.READ_ONLY, path, "snapshot " + snapshot.id() + " can only be read");
    }

    /** There is never anything to flush. */
    @Override
    public void flush() {}

    /** The image is closed by its owner. */
    @Override
    public void close() {}
}
