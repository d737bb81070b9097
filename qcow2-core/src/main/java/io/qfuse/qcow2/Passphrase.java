package io.qfuse.qcow2;

import java.util.Arrays;

/**
 * The bytes that open an encrypted image, kept in memory until they are closed and overwritten then. A passphrase has no
 * text form, so that it gets into no message. Not safe for use by several threads.
 */
public final class Passphrase implements AutoCloseable {

    private final byte[] bytes;

    private Passphrase(byte[] bytes) {
        this.bytes = bytes;
    }

    /**
     * Takes a passphrase over.
     *
     * @param bytes the passphrase, which belongs to this object from now on
     */
    public static Passphrase of(byte[] bytes) {
        return new Passphrase(bytes);
    }

    /** The bytes themselves, not a copy: all zeroes once closed. */
    byte[] bytes() {
        return bytes;
    }

    /** Overwrites the bytes. */
    @Override
    public void close() {
        Arrays.fill(bytes, (byte) 0);
    }
}
