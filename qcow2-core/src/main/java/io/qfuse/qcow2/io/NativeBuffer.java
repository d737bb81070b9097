package io.qfuse.qcow2.io;

import com.kenai.jffi.MemoryIO;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Native memory that begins at a page border, and plain access to native memory by its address. The content of a new
 * buffer is undefined. The memory must not be used after {@link #close}; closing twice is harmless.
 */
public final class NativeBuffer implements AutoCloseable {

    /** The alignment of every buffer in bytes, enough for direct I/O. */
    public static final int PAGE = 4096;

    private static final MemoryIO MEMORY = MemoryIO.getInstance();

    private final long allocation;
    private final long address;
    private final int size;
    private final @Nullable BufferPool pool;
    private final AtomicBoolean open = new AtomicBoolean(true);

    private NativeBuffer(int size, @Nullable BufferPool pool) {
        if (size <= 0) {
            throw new IllegalArgumentException("size " + size);
        }
        this.allocation = MEMORY.allocateMemory((long) size + PAGE, false);
        if (allocation == 0) {
            throw new OutOfMemoryError("no native memory for a buffer of " + size + " bytes");
        }
        this.address = (allocation + PAGE - 1) & -PAGE;
        this.size = size;
        this.pool = pool;
    }

    /**
     * New memory.
     *
     * @param size its bytes, at least 1
     */
    public static NativeBuffer allocate(int size) {
        return new NativeBuffer(size, null);
    }

    static NativeBuffer pooled(int size, BufferPool pool) {
        return new NativeBuffer(size, pool);
    }

    /** Where the memory begins. */
    public long address() {
        return address;
    }

    /** Its bytes. */
    public int size() {
        return size;
    }

    /** Gives the memory back, to its pool where it came from one. */
    @Override
    public void close() {
        if (open.compareAndSet(true, false) && (pool == null || !pool.keep(this))) {
            MEMORY.freeMemory(allocation);
        }
    }

    /** Called by the pool, which alone holds the buffer then. */
    void reopen() {
        open.set(true);
    }

    /** Called by the pool for a buffer that it kept and gives up. */
    void free() {
        MEMORY.freeMemory(allocation);
    }

    /** Copies between two ranges that do not overlap. */
    public static void copy(long from, long to, long length) {
        MEMORY.copyMemory(from, to, length);
    }

    /** Zeroes a range. */
    public static void zero(long address, long length) {
        MEMORY.setMemory(address, length, (byte) 0);
    }

    /** Copies from the heap to native memory. */
    public static void put(long address, byte[] from, int start, int length) {
        MEMORY.putByteArray(address, from, start, length);
    }

    /** Copies from native memory to the heap. */
    public static void get(long address, byte[] into, int start, int length) {
        MEMORY.getByteArray(address, into, start, length);
    }

    /** A range as a buffer, for libraries that take no addresses; it must not outlive the memory. */
    public static ByteBuffer wrap(long address, int length) {
        return MEMORY.newDirectByteBuffer(address, length);
    }

    /** Two bytes in the machine's order. */
    public static short getShort(long address) {
        return MEMORY.getShort(address);
    }

    /** Sets two bytes in the machine's order. */
    public static void putShort(long address, short value) {
        MEMORY.putShort(address, value);
    }

    /** Four bytes in the machine's order. */
    public static int getInt(long address) {
        return MEMORY.getInt(address);
    }

    /** Sets four bytes in the machine's order. */
    public static void putInt(long address, int value) {
        MEMORY.putInt(address, value);
    }

    /** Eight bytes in the machine's order. */
    public static long getLong(long address) {
        return MEMORY.getLong(address);
    }

    /** Sets eight bytes in the machine's order. */
    public static void putLong(long address, long value) {
        MEMORY.putLong(address, value);
    }
}
