package io.qfuse.qcow2.crypto;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Arrays;

/** The splitter of LUKS: a key spread over many stripes, all of which are needed to have it back (LUKS1, section 2.4). */
final class AntiForensic {

    private AntiForensic() {}

    /**
     * Puts a key together.
     *
     * @param material the stripes, one behind the other; what follows them is ignored
     * @param length bytes of the key, and of each stripe
     */
    static byte[] merge(Hash hash, byte[] material, int length, int stripes) {
        MessageDigest digest = hash.create();
        byte[] key = new byte[length];
        for (int stripe = 0; stripe < stripes; stripe++) {
            if (stripe > 0) {
                diffuse(digest, key);
            }
            for (int i = 0; i < length; i++) {
                key[i] ^= material[stripe * length + i];
            }
        }
        return key;
    }

    /** Hashes each piece of a key, as long as a hash, with its number. */
    static void diffuse(MessageDigest digest, byte[] key) {
        int each = digest.getDigestLength();
        for (int at = 0; at < key.length; at += each) {
            int length = Math.min(each, key.length - at);
            digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(0, at / each));
            digest.update(key, at, length);
            byte[] hashed = digest.digest();
            System.arraycopy(hashed, 0, key, at, length);
            Arrays.fill(hashed, (byte) 0);
        }
    }
}
