package io.qfuse.qcow2.crypto;

/** A block cipher under one key, in one direction. Each call starts afresh. For one thread at a time. */
interface Blocks {

    /** Bytes of a block. */
    int size();

    /**
     * Transforms whole blocks.
     *
     * @param to another array than {@code from}; the result is at the same place as the source
     */
    void apply(byte[] from, byte[] to, int at, int length);
}
