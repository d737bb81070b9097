package io.qfuse.qcow2.data;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.bitmap.DirtyBitmaps;
import io.qfuse.qcow2.commit.Checkpoint;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import java.io.IOException;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Changes the virtual size (format notes, section 18).
 *
 * <ol>
 *   <li>A disk grows by zeroes, whatever lies behind its old end or in its backing file: the zeroes are durable before
 *       the size says that they belong to the disk.
 *   <li>A disk shrinks in its header first; only then are the clusters behind the end given up.
 * </ol>
 *
 * <p>Thread-safe.
 */
public final class Resizer {

    /** The largest L1 table that QEMU opens, in bytes. */
    private static final long MAX_L1_BYTES = 32L << 20;

    private final ImageParts image;
    private final Header header;
    private final ZeroWriter zeroes;
    private final Checkpoint checkpoint;
    private final DirtyBitmaps bitmaps;

    /** Held for a whole resize, so that one follows the other; protects {@link #size} for writing. */
    private final ReentrantLock resizing = new ReentrantLock();

    private volatile long size;

    /** The resizer of one image, which also knows its size. */
    public Resizer(ImageParts image, Header header, ZeroWriter zeroes, Checkpoint checkpoint, DirtyBitmaps bitmaps) {
        this.image = image;
        this.header = header;
        this.zeroes = zeroes;
        this.checkpoint = checkpoint;
        this.bitmaps = bitmaps;
        this.size = header.size() & -Geometry.SECTOR;
    }

    /** The virtual size in bytes. */
    public long size() {
        return size;
    }

    /** Grows or shrinks the disk. */
    public void resize(long newSize) throws IOException {
        requirePossible(newSize);
        resizing.lock();
        try {
            if (newSize != size) {
                bitmaps.prepareResize();
            }
            if (newSize > size) {
                grow(size, newSize);
            } else if (newSize < size) {
                shrink(size, newSize);
            }
        } finally {
            resizing.unlock();
        }
    }

    private void requirePossible(long newSize) throws Qcow2Exception {
        if (newSize < 0 || newSize % Geometry.SECTOR != 0) {
            throw new Qcow2Exception(
                    Kind.OUT_OF_RANGE, image.file().path(), "size " + newSize + " is no multiple of 512 bytes");
        }
        long reach = MAX_L1_BYTES / Long.BYTES * image.geometry().l2Reach();
        if (newSize > reach) {
            throw new Qcow2Exception(
                    Kind.OUT_OF_RANGE,
                    image.file().path(),
                    "size " + newSize + " is more than the " + reach + " bytes that clusters of this size can map");
        }
        if (header.version() < 3 && header.snapshotCount() > 0) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED,
                    image.file().path(),
                    "an image of version 2 with internal snapshots cannot change its size");
        }
    }

    private void grow(long from, long to) throws IOException {
        image.map().reach(to);
        image.clusters().resize(from, to);
        zeroes.zero(from, image.geometry().clusterCeiling(to) - from, true);
        checkpoint.run();
        bitmaps.resize(to);
        try {
            checkpoint.storeSize(from, to);
        } catch (IOException e) {
            bitmaps.resize(from);
            throw e;
        }
        size = to;
    }

    private void shrink(long from, long to) throws IOException {
        size = to;
        try {
            checkpoint.storeSize(from, to);
        } catch (IOException e) {
            size = from;
            throw e;
        }
        bitmaps.resize(to);
        zeroes.discard(image.geometry().clusterCeiling(to), image.geometry().clusterCeiling(from));
        image.locks().lockAll();
        try {
            image.clusters().resize(from, to);
        } finally {
            image.locks().unlockAll();
        }
    }
}
