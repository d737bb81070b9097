package io.qfuse.qcow2.crypto;

/** Encrypts or decrypts sectors of 512 bytes, each under its number. For one thread at a time. */
interface SectorCipher {

    /** Bytes of a sector. */
    int SECTOR = 512;

    /** The most bytes of one call: what fits a processor's nearer caches a few times. */
    int MOST = 32 << 10;

    /**
     * Transforms native memory.
     *
     * @param to may be {@code from}; else they do not overlap
     * @param length whole sectors, at most {@link #MOST}
     * @param sector the number of the first one
     */
    void apply(long from, long to, int length, long sector);
}
