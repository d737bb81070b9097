package io.qfuse.cache;

import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/** The slices used last, directly mapped by their number: finding one takes neither a lock nor an allocation. */
final class FrontTable {

    private static final int BITS = 11;

    private final AtomicReferenceArray<@Nullable Slice> slots = new AtomicReferenceArray<>(1 << BITS);
    private final int sliceShift;

    FrontTable(int sliceSize) {
        this.sliceShift = Integer.numberOfTrailingZeros(sliceSize);
    }

    /** The live slice at an offset, where it is here. */
    @Nullable
    Slice find(long offset) {
        Slice slice = slots.getAcquire(slot(offset));
        return slice != null && slice.offset() == offset && !slice.retired() ? slice : null;
    }

    void put(Slice slice) {
        slots.setRelease(slot(slice.offset()), slice);
    }

    /** Lets a slice become garbage. */
    void remove(Slice slice) {
        slots.compareAndSet(slot(slice.offset()), slice, null);
    }

    private int slot(long offset) {
        long number = offset >>> sliceShift;
        return (int) (number ^ number >>> BITS) & ((1 << BITS) - 1); // neighbours never meet
    }
}
