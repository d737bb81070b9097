package io.qfuse.qcow2.transfer;

import io.qfuse.qcow2.io.NativeBuffer;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Looks through a worker's memory for zeroes. For one thread at a time. */
final class ZeroScan {

    private final ByteBuffer memory;
    private final ByteBuffer zeroes;
    private final int granule;

    /**
     * A scan of one piece of memory, which outlives it.
     *
     * @param granule how many bytes are zeroes together or not at all; 0 for not to look
     */
    ZeroScan(NativeBuffer memory, int granule) {
        this.memory = NativeBuffer.wrap(memory.address(), memory.size());
        this.zeroes = ByteBuffer.allocateDirect(granule);
        this.granule = granule;
    }

    /** The first {@code length} bytes, at least 1, as segments; neighbours differ. */
    List<Segment> segments(int length) {
        if (granule == 0) {
            return List.of(new Segment(0, length, false));
        }
        List<Segment> segments = new ArrayList<>();
        int start = 0;
        boolean zero = isZero(0, length);
        for (int at = granule; at < length; at += granule) {
            boolean same = isZero(at, length) == zero;
            if (!same) {
                segments.add(new Segment(start, at - start, zero));
                start = at;
                zero = !zero;
            }
        }
        segments.add(new Segment(start, length - start, zero));
        return segments;
    }

    private boolean isZero(int from, int length) {
        int bytes = Math.min(granule, length - from);
        // Most data say so with their first bytes, which is cheaper asked for than a comparison is begun.
        if (bytes >= Long.BYTES && memory.limit(from + bytes).getLong(from) != 0) {
            return false;
        }
        memory.limit(from + bytes).position(from);
        zeroes.limit(bytes).position(0);
        return memory.mismatch(zeroes) < 0;
    }
}
