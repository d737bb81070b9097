package io.qfuse.qcow2.bitmap;

import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Reads and writes whole tables of bitmaps, in pieces. */
final class BitmapTable {

    private static final int PIECE = 64 << 10;

    private BitmapTable() {}

    /** The entries of a table. */
    static long[] read(HostFile file, long offset, int size) throws IOException {
        long[] entries = new long[size];
        byte[] piece = new byte[Math.min(PIECE, size * Long.BYTES)];
        for (int done = 0; done < size; done += PIECE / Long.BYTES) {
            file.read(offset + (long) done * Long.BYTES, piece);
            int count = Math.min(PIECE / Long.BYTES, size - done);
            ByteBuffer.wrap(piece).asLongBuffer().get(entries, done, count);
        }
        return entries;
    }

    /** Writes entries, and zeroes behind them to the end of the cluster. */
    static void write(HostFile file, long offset, long[] entries, int clusterSize) throws IOException {
        int perPiece = Math.max(PIECE, clusterSize) / Long.BYTES;
        for (int done = 0; done < entries.length; done += perPiece) {
            int count = Math.min(perPiece, entries.length - done);
            int length = (count * Long.BYTES + clusterSize - 1) & -clusterSize;
            ByteBuffer piece = ByteBuffer.allocate(length);
            piece.asLongBuffer().put(entries, done, count);
            file.write(offset + (long) done * Long.BYTES, piece.array(), 0, length);
        }
    }
}
