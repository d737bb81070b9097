package io.qfuse.qcow2.bitmap;

import static io.qfuse.qcow2.format.BitmapTableEntry.ALL_ONES;
import static io.qfuse.qcow2.format.BitmapTableEntry.ALL_ZEROES;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.bitmap.BitmapDirectory.Placed;
import io.qfuse.qcow2.format.BitmapRecord;
import io.qfuse.qcow2.format.BitmapTableEntry;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;

/** Loads bitmaps into memory (format notes, section 9). */
final class BitmapLoader {

    private static final long MOST_BYTES = 512L << 20;
    private static final int MOST_GRANULARITY_BITS = 63;

    private final HostFile file;
    private final Geometry geometry;
    private final BitmapMemory memory;

    BitmapLoader(HostFile file, Geometry geometry, BitmapMemory memory) {
        this.file = file;
        this.geometry = geometry;
        this.memory = memory;
    }

    /**
     * Loads the bits of a bitmap.
     *
     * @throws Qcow2Exception where the bitmap cannot be used, or takes too much memory
     */
    TrackedBitmap load(Placed entry, long diskSize) throws IOException {
        BitmapRecord bitmap = entry.bitmap();
        requireUsable(bitmap, TrackedBitmap.granules(bitmap, diskSize));
        DirtyBits bits = DirtyBits.create(memory, TrackedBitmap.granules(bitmap, diskSize));
        if (bits == null) {
            throw tooLarge();
        }
        try {
            fill(bits, BitmapTable.read(file, bitmap.tableOffset(), (int) bitmap.tableSize()));
        } catch (IOException e) {
            bits.lose();
            throw e;
        }
        bits.loaded();
        return new TrackedBitmap(entry.at(), bitmap, bits);
    }

    private void requireUsable(BitmapRecord bitmap, long granules) throws IOException {
        if (!bitmap.isKnown()) {
            throw unusable("its type " + bitmap.type() + " or flags 0x" + Integer.toHexString(bitmap.flags())
                    + " are unknown");
        }
        if (bitmap.hasExtra() && !bitmap.has(BitmapRecord.EXTRA_DATA_COMPATIBLE)) {
            throw unusable("it has extra data that one must know to use it");
        }
        if (bitmap.granularityBits() > MOST_GRANULARITY_BITS) {
            throw unusable("its granularity is 2^" + bitmap.granularityBits());
        }
        long bytes = (granules + Byte.SIZE - 1) / Byte.SIZE;
        if (bytes > MOST_BYTES) {
            throw tooLarge();
        }
        if (bitmap.tableSize() != geometry.clustersFor(bytes)) {
            throw unusable("its table has " + bitmap.tableSize() + " entries, not " + geometry.clustersFor(bytes));
        }
        requireInside("its table", bitmap.tableOffset(), bitmap.tableSize() * Long.BYTES);
    }

    private void requireInside(String what, long offset, long length) throws IOException {
        if (offset <= 0 || geometry.offsetInCluster(offset) != 0 || length > file.size() - offset) {
            throw unusable(what + " at 0x" + Long.toHexString(offset) + " is not in the file, or unaligned");
        }
    }

    private void fill(DirtyBits bits, long[] table) throws IOException {
        long clusterBits = (long) geometry.clusterSize() * Byte.SIZE;
        byte[] cluster = new byte[geometry.clusterSize()];
        for (int i = 0; i < table.length; i++) {
            long first = i * clusterBits;
            if (BitmapTableEntry.hasReservedBits(table[i])) {
                throw unusable("entry " + i + " of its table is 0x" + Long.toHexString(table[i]));
            } else if (table[i] == ALL_ONES) {
                int run = i;
                while (run + 1 < table.length && table[run + 1] == ALL_ONES) {
                    run++;
                }
                requireMemory(bits.set(first, (run + 1) * clusterBits));
                i = run;
            } else if (table[i] != ALL_ZEROES) {
                requireInside("its data", table[i], Math.min(cluster.length, (bits.size() - first) / Byte.SIZE));
                file.read(table[i], cluster);
                requireMemory(fill(bits, first / Long.SIZE, cluster));
            }
        }
    }

    private static boolean fill(DirtyBits bits, long firstWord, byte[] cluster) {
        LongBuffer words =
                ByteBuffer.wrap(cluster).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer();
        long count = Math.min(words.capacity(), (bits.size() + Long.SIZE - 1) / Long.SIZE - firstWord);
        for (int i = 0; i < count; i++) {
            if (!bits.or(firstWord + i, words.get(i))) {
                return false;
            }
        }
        return true;
    }

    private void requireMemory(boolean kept) throws Qcow2Exception {
        if (!kept) {
            throw tooLarge();
        }
    }

    private Qcow2Exception tooLarge() {
        return unusable("it takes too much memory");
    }

    private Qcow2Exception unusable(String why) {
        return new Qcow2Exception(Kind.UNSUPPORTED, file.path(), why);
    }
}
