package io.qfuse.qcow2;

import io.qfuse.qcow2.io.NativeBuffer;
import java.util.ArrayList;
import java.util.List;

/** Sectors in native memory that are told apart by numbers. */
final class Sectors {

    /** Bytes of a sector. */
    static final int SIZE = 512;

    private Sectors() {}

    /** Fills a range with a number. */
    static void fill(long address, int length, long id) {
        for (int i = 0; i < length; i += Long.BYTES) {
            NativeBuffer.putLong(address + i, id);
        }
    }

    /** The number that a sector is filled with, or one that stands for other bytes. */
    static long identity(long address) {
        long id = NativeBuffer.getLong(address);
        long hash = id;
        boolean filled = true;
        for (int i = Long.BYTES; i < SIZE; i += Long.BYTES) {
            long word = NativeBuffer.getLong(address + i);
            filled &= word == id;
            hash = hash * 31 + word;
        }
        return filled ? id : hash | Long.MIN_VALUE;
    }

    /** The numbers of the first sectors of a buffer. */
    static List<Long> identities(NativeBuffer buffer, int count) {
        List<Long> ids = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            ids.add(identity(buffer.address() + (long) i * SIZE));
        }
        return ids;
    }
}
