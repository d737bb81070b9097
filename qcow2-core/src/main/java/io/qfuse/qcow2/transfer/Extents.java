package io.qfuse.qcow2.transfer;

import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.util.Arrays;

/** Memory and where in a file it goes; what is adjacent in both is written together. For one thread at a time. */
final class Extents {

    private long[] addresses = new long[64];
    private long[] offsets = new long[64];
    private int[] lengths = new int[64];
    private int count;

    void clear() {
        count = 0;
    }

    void add(long address, long offset, int length) {
        int last = count - 1;
        if (count > 0 && addresses[last] + lengths[last] == address && offsets[last] + lengths[last] == offset) {
            lengths[last] += length;
            return;
        }
        if (count == lengths.length) {
            addresses = Arrays.copyOf(addresses, 2 * count);
            offsets = Arrays.copyOf(offsets, 2 * count);
            lengths = Arrays.copyOf(lengths, 2 * count);
        }
        addresses[count] = address;
        offsets[count] = offset;
        lengths[count++] = length;
    }

    void writeTo(HostFile file) throws IOException {
        for (int i = 0; i < count; i++) {
            file.write(offsets[i], addresses[i], lengths[i]);
        }
    }
}
