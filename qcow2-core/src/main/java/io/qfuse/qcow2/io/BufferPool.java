package io.qfuse.qcow2.io;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * Keeps closed buffers for reuse, in size classes that are powers of two. Safe for use by many threads; taking a kept
 * buffer allocates nothing.
 */
public final class BufferPool {

    private static final int SMALLEST_BITS = 12;
    private static final int LARGEST_BITS = 30;
    private static final BufferPool SHARED = new BufferPool(4 << 20);

    private final List<ArrayDeque<NativeBuffer>> kept = new ArrayList<>(); // each guarded by itself
    private final long bytesKeptPerClass;

    /**
     * An empty pool.
     *
     * @param bytesKeptPerClass the most that unused buffers of one size class may hold together, in bytes
     */
    public BufferPool(long bytesKeptPerClass) {
        this.bytesKeptPerClass = bytesKeptPerClass;
        for (int bits = SMALLEST_BITS; bits <= LARGEST_BITS; bits++) {
            kept.add(new ArrayDeque<>());
        }
    }

    /** The pool of the whole process, for scratch memory: it keeps at most 4 MiB of each size class. */
    public static BufferPool shared() {
        return SHARED;
    }

    /**
     * A buffer that returns here when it is closed; its content is undefined.
     *
     * @param size the least bytes it has, 1 to 2^30
     */
    public NativeBuffer take(int size) {
        int bits = Math.max(SMALLEST_BITS, 32 - Integer.numberOfLeadingZeros(size - 1));
        if (size <= 0 || bits > LARGEST_BITS) {
            throw new IllegalArgumentException("size " + size);
        }
        ArrayDeque<NativeBuffer> shelf = kept.get(bits - SMALLEST_BITS);
        NativeBuffer buffer;
        synchronized (shelf) {
            buffer = shelf.pollLast();
        }
        if (buffer == null) {
            return NativeBuffer.pooled(1 << bits, this);
        }
        buffer.reopen();
        return buffer;
    }

    /** Frees what is kept; buffers in use are not touched and may still return. */
    public void clear() {
        for (ArrayDeque<NativeBuffer> shelf : kept) {
            synchronized (shelf) {
                shelf.forEach(NativeBuffer::free);
                shelf.clear();
            }
        }
    }

    /** Whether the pool has room for a buffer that was just closed; false leaves it to the caller to free it. */
    boolean keep(NativeBuffer buffer) {
        ArrayDeque<NativeBuffer> shelf = kept.get(Integer.numberOfTrailingZeros(buffer.size()) - SMALLEST_BITS);
        synchronized (shelf) {
            if ((shelf.size() + 1L) * buffer.size() > bytesKeptPerClass) {
                return false;
            }
            shelf.addLast(buffer);
            return true;
        }
    }
}
