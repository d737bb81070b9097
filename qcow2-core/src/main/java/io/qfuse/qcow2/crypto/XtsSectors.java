package io.qfuse.qcow2.crypto;

import io.qfuse.qcow2.io.NativeBuffer;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * XTS (IEEE 1619), for whole blocks. The JDK does not have it, so it is made of the JDK's ECB: all tweaks of all sectors
 * first, then one call over everything between two XORs. Each step is a loop of its own over arrays, so that the compiler
 * makes vector code of it; what the steps hand each other is small enough to stay in the processor's nearest cache.
 */
final class XtsSectors implements SectorCipher {

    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private static final int BLOCK = 16;

    /** What goes through all steps at once: three arrays of so many bytes, and what they are read from and written to. */
    private static final int PIECE = 8 << 10;

    /** x^128 in the field of 2^128 elements. */
    private static final long REDUCTION = 0x87;

    private final Blocks data;
    private final Blocks tweak;
    private final IvGenerator ivs;
    private final byte[] starts = new byte[MOST / SECTOR * BLOCK];
    private final long[] tweaks = new long[PIECE / Long.BYTES];
    private final byte[] in = new byte[PIECE];
    private final byte[] out = new byte[PIECE];

    /**
     * A cipher in one direction.
     *
     * @param data transforms the data
     * @param tweak encrypts initialization vectors, under the other half of the key
     */
    XtsSectors(Blocks data, Blocks tweak, IvGenerator ivs) {
        this.data = data;
        this.tweak = tweak;
        this.ivs = ivs;
    }

    @Override
    public void apply(long from, long to, int length, long sector) {
        int sectors = length / SECTOR;
        tweak.apply(ivs.generate(sector, sectors), starts, 0, sectors * BLOCK);
        for (int at = 0; at < length; at += PIECE) {
            applyPiece(from + at, to + at, Math.min(PIECE, length - at), at / SECTOR);
        }
    }

    private void applyPiece(long from, long to, int length, int first) {
        for (int i = 0; i < length / SECTOR; i++) {
            int start = (first + i) * BLOCK;
            fillTweaks(i, (long) LONGS.get(starts, start), (long) LONGS.get(starts, start + Long.BYTES));
        }
        NativeBuffer.get(from, in, 0, length);
        mask(in, length);
        data.apply(in, out, 0, length);
        mask(out, length);
        NativeBuffer.put(to, out, 0, length);
    }

    /** Each block's tweak is the one before it times x. */
    private void fillTweaks(int sector, long firstLow, long firstHigh) {
        long low = firstLow;
        long high = firstHigh;
        int end = (sector + 1) * (SECTOR / Long.BYTES);
        for (int i = sector * (SECTOR / Long.BYTES); i < end; i += 2) {
            tweaks[i] = low;
            tweaks[i + 1] = high;
            long carry = high >> 63 & REDUCTION;
            high = high << 1 | low >>> 63;
            low = low << 1 ^ carry;
        }
    }

    private void mask(byte[] bytes, int length) {
        for (int i = 0; i < length / Long.BYTES; i++) {
            LONGS.set(bytes, i * Long.BYTES, (long) LONGS.get(bytes, i * Long.BYTES) ^ tweaks[i]);
        }
    }
}
