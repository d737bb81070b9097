package io.qfuse.qcow2.crypto;

import io.qfuse.qcow2.io.NativeBuffer;

/**
 * CBC, each sector a chain of its own. A chain that starts from a vector is one that starts from zeroes with the vector
 * XORed to its first plain block: so no cipher is set up anew for a sector.
 */
final class CbcSectors implements SectorCipher {

    private final Blocks chain;
    private final boolean encrypt;
    private final IvGenerator ivs;
    private final byte[] in = new byte[MOST];
    private final byte[] out = new byte[MOST];

    /**
     * A cipher in one direction.
     *
     * @param chain encrypts or decrypts one chain from zeroes
     */
    CbcSectors(Blocks chain, boolean encrypt, IvGenerator ivs) {
        this.chain = chain;
        this.encrypt = encrypt;
        this.ivs = ivs;
    }

    @Override
    public void apply(long from, long to, int length, long sector) {
        byte[] vectors = ivs.generate(sector, length / SECTOR);
        NativeBuffer.get(from, in, 0, length);
        for (int at = 0; at < length; at += SECTOR) {
            if (encrypt) {
                mask(in, at, vectors);
            }
            chain.apply(in, out, at, SECTOR);
            if (!encrypt) {
                mask(out, at, vectors);
            }
        }
        NativeBuffer.put(to, out, 0, length);
    }

    private void mask(byte[] bytes, int at, byte[] vectors) {
        int vector = at / SECTOR * chain.size();
        for (int i = 0; i < chain.size(); i++) {
            bytes[at + i] ^= vectors[vector + i];
        }
    }
}
