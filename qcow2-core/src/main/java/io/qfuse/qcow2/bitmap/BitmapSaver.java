package io.qfuse.qcow2.bitmap;

import io.qfuse.qcow2.alloc.ClusterAllocator;
import io.qfuse.qcow2.commit.Checkpoint;
import io.qfuse.qcow2.format.BitmapRecord;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * Writes bitmaps back to the file. On disk each is marked in use until its last step, so nobody trusts its bits meanwhile;
 * what must hold at every moment is that its entry and its table name only clusters that count as theirs.
 *
 * <ol>
 *   <li>The bits are written, into clusters that the bitmap has or into new ones, and counts and bits are made durable.
 *   <li>The table is written, in its place or, where it has become longer, in a new one; barrier.
 *   <li>An entry whose table has moved gets the new offset: with the old size, which is less, it names a part of the new
 *       table; barrier.
 *   <li>The size of the table and the flags, without in_use, are written at once: they fill 8 bytes of one sector; barrier.
 *   <li>Only now is given up what no durable table names any more.
 * </ol>
 */
final class BitmapSaver {

    private final HostFile file;
    private final Geometry geometry;
    private final ClusterAllocator allocator;
    private final Checkpoint checkpoint;

    BitmapSaver(HostFile file, Geometry geometry, ClusterAllocator allocator, Checkpoint checkpoint) {
        this.file = file;
        this.geometry = geometry;
        this.allocator = allocator;
        this.checkpoint = checkpoint;
    }

    /** A step for one bitmap. */
    private interface Step {

        void run(StoredBitmap bitmap) throws IOException;
    }

    /**
     * Saves bitmaps. One that cannot be saved stays marked in use, and the others are saved.
     *
     * @param complaints is told of each bitmap that stays behind, and why
     * @throws IOException where nothing can be made durable any more
     */
    void save(List<TrackedBitmap> bitmaps, BiConsumer<TrackedBitmap, String> complaints) throws IOException {
        List<StoredBitmap> stored = new ArrayList<>();
        for (TrackedBitmap bitmap : bitmaps) {
            stored.add(new StoredBitmap(file, geometry, allocator, bitmap));
        }
        each(stored, complaints, StoredBitmap::writeBits);
        checkpoint.run();
        each(stored, complaints, StoredBitmap::writeTable);
        checkpoint.barrier();
        each(stored, complaints, this::moveTable);
        checkpoint.barrier();
        each(stored, complaints, this::finish);
        checkpoint.barrier();
        each(stored, complaints, StoredBitmap::giveUpOld);
    }

    private static void each(List<StoredBitmap> stored, BiConsumer<TrackedBitmap, String> complaints, Step step) {
        stored.removeIf(bitmap -> {
            try {
                step.run(bitmap);
                return false;
            } catch (IOException e) {
                complaints.accept(bitmap.bitmap(), String.valueOf(e.getMessage()));
                return true;
            }
        });
    }

    private void moveTable(StoredBitmap stored) throws IOException {
        if (stored.hasMoved()) {
            writeLong(stored.bitmap().at(), stored.tableOffset());
        }
    }

    private void finish(StoredBitmap stored) throws IOException {
        long flags = stored.bitmap().record().flags();
        writeLong(stored.bitmap().at() + BitmapRecord.SIZE_AND_FLAGS_AT, (stored.tableSize() << Integer.SIZE) | flags);
    }

    private void writeLong(long at, long value) throws IOException {
        file.write(at, ByteBuffer.allocate(Long.BYTES).putLong(value).array(), 0, Long.BYTES);
    }
}
