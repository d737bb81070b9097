package io.qfuse.qcow2.crypto;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.io.BufferPool;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import java.io.IOException;
import java.security.MessageDigest;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Finds the key of an image by a passphrase: for each active key slot, PBKDF2 of the passphrase unlocks the key material, whose
 * stripes merge to a key, and a digest in the header tells whether that is the one (format notes, section 10).
 *
 * <p>How much hashing that is stands in the image, which is not trusted: it is bounded for all slots together. For one thread.
 */
final class LuksKey {

    /**
     * The most rounds of HMAC-SHA256, or as much of another hash, for one image: some 5 to 10 seconds. QEMU makes images
     * for 2 seconds of its own machine, which are 20 million rounds on a fast one.
     */
    static final long MOST_ROUNDS = 50_000_000;

    private final HostFile file;
    private final LuksHeader header;
    private long roundsLeft = MOST_ROUNDS;

    private LuksKey(HostFile file, LuksHeader header) {
        this.file = file;
        this.header = header;
    }

    /**
     * The key, for the caller to wipe.
     *
     * @throws Qcow2Exception of kind NO_KEY where no slot that may be tried opens
     */
    static byte[] find(HostFile file, LuksHeader header, byte[] passphrase) throws IOException {
        return new LuksKey(file, header).find(passphrase);
    }

    private byte[] find(byte[] passphrase) throws IOException {
        String skipped = "";
        for (KeySlot slot : header.slots()) {
            if (slot.active()) {
                if (!affords(slot)) {
                    skipped = "; key slot " + header.slots().indexOf(slot) + " was not tried: with " + slot.iterations()
                            + " iterations, and " + header.digestIterations()
                            + " for the digest, it takes more than the "
                            + MOST_ROUNDS + " rounds of hashing that all slots together may take";
                    continue;
                }
                byte[] key = open(slot, passphrase);
                if (key != null) {
                    return key;
                }
            }
        }
        boolean newline = passphrase.length > 0 && passphrase[passphrase.length - 1] == '\n';
        throw new Qcow2Exception(
                Kind.NO_KEY,
                file.path(),
                "the passphrase opens no key slot" + (newline ? " (it ends with a newline, which counts)" : "")
                        + skipped);
    }

    private boolean affords(KeySlot slot) {
        long rounds = header.hash().cost()
                * (slot.iterations()
                                * Pbkdf2.blocks(header.hash(), header.spec().keyBytes())
                        + header.digestIterations() * Pbkdf2.blocks(header.hash(), header.digest().length));
        if (rounds > roundsLeft) {
            return false;
        }
        roundsLeft -= rounds;
        return true;
    }

    private byte @Nullable [] open(KeySlot slot, byte[] passphrase) throws IOException {
        int length = header.spec().keyBytes();
        byte[] slotKey = Pbkdf2.derive(header.hash(), passphrase, slot.salt(), (int) slot.iterations(), length);
        byte[] material = readMaterial(slot, slotKey);
        byte[] key = AntiForensic.merge(header.hash(), material, length, LuksHeader.STRIPES);
        Arrays.fill(slotKey, (byte) 0);
        Arrays.fill(material, (byte) 0);
        byte[] digest = Pbkdf2.derive(
                header.hash(), key, header.digestSalt(), (int) header.digestIterations(), header.digest().length);
        if (MessageDigest.isEqual(digest, header.digest())) {
            return key;
        }
        Arrays.fill(key, (byte) 0);
        return null;
    }

    /** The stripes, decrypted under the slot's key as if they were sectors from number 0 on. */
    private byte[] readMaterial(KeySlot slot, byte[] slotKey) throws IOException {
        int length = header.spec().keyBytes() * LuksHeader.STRIPES;
        int whole = (length + SectorCipher.SECTOR - 1) & -SectorCipher.SECTOR;
        byte[] material = new byte[whole];
        try (NativeBuffer buffer = BufferPool.shared().take(whole);
                GuestCipher cipher = new GuestCipher(header.spec(), slotKey.clone())) {
            file.read(header.start() + slot.materialOffset(), buffer.address(), whole);
            cipher.decrypt(buffer.address(), whole, 0);
            NativeBuffer.get(buffer.address(), material, 0, whole);
            NativeBuffer.zero(buffer.address(), whole);
        }
        return material;
    }
}
