package io.qfuse.qcow2.crypto;

import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Encrypts and decrypts the sectors of one image. Safe for use by many threads: each call has a cipher of its own, and there
 * are never more of them than threads were inside at once.
 */
public final class GuestCipher implements AutoCloseable {

    /** Bytes of a sector. */
    public static final int SECTOR = SectorCipher.SECTOR;

    private final CipherSpec spec;
    private final byte[] key;
    private final Shelf encrypting = new Shelf(true);
    private final Shelf decrypting = new Shelf(false);

    /** Takes over a key. */
    GuestCipher(CipherSpec spec, byte[] key) {
        this.spec = spec;
        this.key = key;
    }

    /**
     * The cipher of an image with legacy encryption: there is nothing to tell a wrong passphrase by.
     *
     * @param passphrase the key: its first 16 bytes, zeroes behind them
     */
    public static GuestCipher legacy(byte[] passphrase) {
        return new GuestCipher(CipherSpec.LEGACY, Arrays.copyOf(passphrase, CipherSpec.LEGACY.keyBytes()));
    }

    /**
     * The cipher of an image with LUKS encryption.
     *
     * @throws io.qfuse.qcow2.Qcow2Exception of kind NO_KEY where the passphrase opens no key slot
     */
    public static GuestCipher luks(HostFile file, LuksHeader header, byte[] passphrase) throws IOException {
        return new GuestCipher(header.spec(), LuksKey.find(file, header, passphrase));
    }

    /**
     * Decrypts native memory in place.
     *
     * @param length whole sectors
     * @param sector the number of the first one
     */
    public void decrypt(long address, int length, long sector) {
        apply(decrypting, address, address, length, sector);
    }

    /**
     * Encrypts native memory.
     *
     * @param to where the encrypted bytes go; may be {@code from}
     * @param length whole sectors
     * @param sector the number of the first one
     */
    public void encrypt(long from, long to, int length, long sector) {
        apply(encrypting, from, to, length, sector);
    }

    private static void apply(Shelf shelf, long from, long to, int length, long sector) {
        SectorCipher cipher = shelf.take();
        try {
            for (int at = 0; at < length; at += SectorCipher.MOST) {
                int part = Math.min(SectorCipher.MOST, length - at);
                cipher.apply(from + at, to + at, part, sector + at / SECTOR);
            }
        } finally {
            shelf.giveBack(cipher);
        }
    }

    /** Forgets the key, as far as Java lets go of it. */
    @Override
    public void close() {
        encrypting.clear();
        decrypting.clear();
        Arrays.fill(key, (byte) 0);
    }

    /** Ciphers of one direction that nobody uses at the moment. */
    private final class Shelf {

        private final boolean encrypt;
        private final ArrayDeque<SectorCipher> idle = new ArrayDeque<>(); // guarded by itself

        Shelf(boolean encrypt) {
            this.encrypt = encrypt;
        }

        SectorCipher take() {
            @Nullable SectorCipher cipher;
            synchronized (idle) {
                // The last one returned: its arrays are the likeliest to be in the processor's cache.
                cipher = idle.pollLast();
            }
            return cipher != null ? cipher : spec.open(key, encrypt);
        }

        void giveBack(SectorCipher cipher) {
            synchronized (idle) {
                idle.addLast(cipher);
            }
        }

        void clear() {
            synchronized (idle) {
                idle.clear();
            }
        }
    }
}
