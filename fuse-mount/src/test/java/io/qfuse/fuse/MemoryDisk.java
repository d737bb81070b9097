package io.qfuse.fuse;

import io.qfuse.qcow2.Disk;
import io.qfuse.qcow2.Extent;
import io.qfuse.qcow2.Qcow2Exception;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;
import org.jspecify.annotations.Nullable;

/** A disk in memory that knows which of its clusters hold data; one lock around everything. */
public final class MemoryDisk implements Disk {

    /** The unit of space, in bytes. */
    public static final int CLUSTER = 4096;

    private static final Runtime RUNTIME = Runtime.getSystemRuntime();

    private final boolean writable;
    private byte[] bytes;
    private boolean[] data;
    private boolean closed;

    /** How often the disk was flushed. */
    public final AtomicInteger flushes = new AtomicInteger();

    /** Where the next read waits, if anywhere. */
    private final AtomicReference<@Nullable Gate> gate = new AtomicReference<>();

    /** Where one read waits. */
    public record Gate(CountDownLatch arrived, CountDownLatch goOn) {

        /** A gate that nobody has reached. */
        public Gate() {
            this(new CountDownLatch(1), new CountDownLatch(1));
        }
    }

    /** Lets the next read wait at a gate. */
    public Gate holdNextRead() {
        var next = new Gate();
        gate.set(next);
        return next;
    }

    /** A disk that is one hole. */
    public MemoryDisk(int size, boolean writable) {
        this.writable = writable;
        bytes = new byte[size];
        data = new boolean[clusters(size)];
    }

    /** Puts bytes on the disk without a mount. */
    public synchronized void fill(int offset, byte[] content) {
        System.arraycopy(content, 0, bytes, offset, content.length);
        mark(offset, content.length, true);
    }

    /** The bytes of a range. */
    public synchronized byte[] content(int offset, int length) {
        return Arrays.copyOfRange(bytes, offset, offset + length);
    }

    /** Whether the disk was closed. */
    public synchronized boolean isClosed() {
        return closed;
    }

    @Override
    public synchronized long size() {
        return bytes.length;
    }

    @Override
    public boolean writable() {
        return writable;
    }

    @Override
    public synchronized long allocatedBytes() {
        long clusters = 0;
        for (boolean allocated : data) {
            clusters += allocated ? 1 : 0;
        }
        return clusters * CLUSTER;
    }

    @Override
    public void read(long offset, long address, int length) throws Qcow2Exception {
        Gate held = gate.getAndSet(null);
        if (held != null) {
            held.arrived().countDown();
            try {
                held.goOn().await();
            } catch (InterruptedException e) {
                throw new AssertionError("threads that serve are never interrupted", e);
            }
        }
        copyOut(offset, address, length);
    }

    private synchronized void copyOut(long offset, long address, int length) throws Qcow2Exception {
        check(offset, length);
        Pointer.wrap(RUNTIME, address).put(0, bytes, (int) offset, length);
    }

    @Override
    public synchronized void write(long offset, long address, int length) throws Qcow2Exception {
        checkWritable(offset, length);
        Pointer.wrap(RUNTIME, address).get(0, bytes, (int) offset, length);
        mark(offset, length, true);
    }

    @Override
    public synchronized void writeZeroes(long offset, long length, boolean unmap) throws Qcow2Exception {
        checkWritable(offset, length);
        Arrays.fill(bytes, (int) offset, (int) (offset + length), (byte) 0);
        if (unmap) {
            long first = (offset + CLUSTER - 1) / CLUSTER * CLUSTER;
            long end = offset + length == bytes.length ? offset + length : (offset + length) / CLUSTER * CLUSTER;
            mark(first, Math.max(0, end - first), false);
        } else {
            mark(offset, length, true);
        }
    }

    @Override
    public synchronized void allocate(long offset, long length) throws Qcow2Exception {
        checkWritable(offset, length);
        mark(offset, length, true);
    }

    @Override
    public synchronized Extent nextExtent(long offset) throws Qcow2Exception {
        check(offset, 1);
        int first = (int) (offset / CLUSTER);
        // One cluster at a time: who wants longer runs has to merge them.
        long end = Math.min(bytes.length, (first + 1L) * CLUSTER);
        return new Extent(data[first] ? Extent.Kind.DATA : Extent.Kind.HOLE, offset, end - offset);
    }

    @Override
    public void flush() {
        flushes.incrementAndGet();
    }

    @Override
    public synchronized void resize(long newSize) throws Qcow2Exception {
        checkWritable(0, 0);
        bytes = Arrays.copyOf(bytes, Math.toIntExact(newSize));
        data = Arrays.copyOf(data, clusters(newSize));
    }

    @Override
    public synchronized void close() {
        closed = true;
    }

    private static int clusters(long size) {
        return (int) ((size + CLUSTER - 1) / CLUSTER);
    }

    private void mark(long offset, long length, boolean allocated) {
        if (length > 0) {
            Arrays.fill(data, (int) (offset / CLUSTER), clusters(offset + length), allocated);
        }
    }

    private void checkWritable(long offset, long length) throws Qcow2Exception {
        if (!writable) {
            throw new Qcow2Exception(Qcow2Exception.Kind.READ_ONLY, "memory", "is read-only");
        }
        check(offset, length);
    }

    private void check(long offset, long length) throws Qcow2Exception {
        if (offset < 0 || length < 0 || offset + length > bytes.length) {
            throw new Qcow2Exception(
                    Qcow2Exception.Kind.OUT_OF_RANGE, "memory", length + " bytes at " + offset + " of " + bytes.length);
        }
    }
}
