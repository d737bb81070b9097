package io.qfuse.cache;

import java.io.IOException;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicIntegerArray;

/** A store in memory that counts loads and refuses to be read while the same slice is written. */
final class ArrayStore implements SliceStore {

    private final int sliceSize;
    private final byte[][] slices;
    private final AtomicIntegerArray users; // of each slice: -1 written, n > 0 loaded
    private volatile int loads;

    ArrayStore(int slices, int sliceSize) {
        this.sliceSize = sliceSize;
        this.slices = new byte[slices][sliceSize];
        this.users = new AtomicIntegerArray(slices);
    }

    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // exact only where one thread loads
    public void load(long offset, byte[] into) throws IOException {
        int index = (int) (offset / sliceSize);
        if (index >= slices.length) {
            throw new IOException("nothing at " + offset);
        }
        use(index, 1);
        loads++;
        System.arraycopy(slices[index], 0, into, 0, sliceSize);
        users.set(index, 0);
    }

    void store(CapturedSlice captured) {
        int index = (int) (captured.offset() / sliceSize);
        use(index, -1);
        slices[index] = captured.bytes();
        users.set(index, 0);
    }

    private void use(int index, int how) {
        if (!users.compareAndSet(index, 0, how)) {
            throw new IllegalStateException("slice " + index + " is loaded or written by two at once");
        }
    }

    byte[] slice(int index) {
        return slices[index];
    }

    void fill(int index, int value) {
        Arrays.fill(slices[index], (byte) value);
    }

    int loads() {
        return loads;
    }
}
