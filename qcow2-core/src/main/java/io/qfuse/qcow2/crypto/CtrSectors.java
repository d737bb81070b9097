package io.qfuse.qcow2.crypto;

import io.qfuse.qcow2.io.NativeBuffer;

/** CTR: each sector XORed with encrypted counters, which start from its vector and are big-endian. Both directions are one. */
final class CtrSectors implements SectorCipher {

    private final Blocks encrypting;
    private final IvGenerator ivs;
    private final byte[] counters = new byte[MOST];
    private final byte[] stream = new byte[MOST];
    private final byte[] data = new byte[MOST];

    CtrSectors(Blocks encrypting, IvGenerator ivs) {
        this.encrypting = encrypting;
        this.ivs = ivs;
    }

    @Override
    public void apply(long from, long to, int length, long sector) {
        byte[] vectors = ivs.generate(sector, length / SECTOR);
        int size = encrypting.size();
        for (int at = 0; at < length; at += size) {
            if (at % SECTOR == 0) {
                System.arraycopy(vectors, at / SECTOR * size, counters, at, size);
            } else {
                System.arraycopy(counters, at - size, counters, at, size);
                increment(counters, at, at + size);
            }
        }
        encrypting.apply(counters, stream, 0, length);
        NativeBuffer.get(from, data, 0, length);
        for (int i = 0; i < length; i++) {
            data[i] ^= stream[i];
        }
        NativeBuffer.put(to, data, 0, length);
    }

    /** Adds 1 to the big-endian number in {@code [start, end)}. */
    private static void increment(byte[] bytes, int start, int end) {
        int i = end - 1;
        while (i >= start && ++bytes[i] == 0) {
            i--;
        }
    }
}
