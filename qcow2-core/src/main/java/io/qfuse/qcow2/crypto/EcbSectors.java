package io.qfuse.qcow2.crypto;

import io.qfuse.qcow2.io.NativeBuffer;

/** ECB: every block for itself, whatever its sector. */
final class EcbSectors implements SectorCipher {

    private final Blocks blocks;
    private final byte[] in = new byte[MOST];
    private final byte[] out = new byte[MOST];

    /** A cipher in one direction. */
    EcbSectors(Blocks blocks) {
        this.blocks = blocks;
    }

    @Override
    public void apply(long from, long to, int length, long sector) {
        NativeBuffer.get(from, in, 0, length);
        blocks.apply(in, out, 0, length);
        NativeBuffer.put(to, out, 0, length);
    }
}
