package io.qfuse.qcow2.crypto;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.stream.IntStream;

/** PBKDF2 over HMAC (RFC 8018, section 5.2). */
final class Pbkdf2 {

    private Pbkdf2() {}

    /** Derives {@code length} bytes; blocks of them in parallel. */
    static byte[] derive(Hash hash, byte[] password, byte[] salt, int iterations, int length) {
        Hmac hmac = new Hmac(hash, password);
        byte[] derived = new byte[length];
        IntStream.range(0, blocks(hash, length)).parallel().forEach(index -> {
            byte[] block = block(hmac, salt, iterations, index + 1);
            int at = index * block.length;
            System.arraycopy(block, 0, derived, at, Math.min(block.length, length - at));
            Arrays.fill(block, (byte) 0);
        });
        return derived;
    }

    /** How often the iterations are gone through for a key of that length. */
    static int blocks(Hash hash, int length) {
        int each = hash.create().getDigestLength();
        return (length + each - 1) / each;
    }

    private static byte[] block(Hmac hmac, byte[] salt, int iterations, int number) {
        byte[] last = new byte[hmac.length()];
        byte[] start = ByteBuffer.allocate(salt.length + Integer.BYTES)
                .put(salt)
                .putInt(number)
                .array();
        hmac.apply(start, last);
        byte[] sum = last.clone();
        for (int i = 1; i < iterations; i++) {
            hmac.apply(last, last);
            for (int at = 0; at < sum.length; at++) {
                sum[at] ^= last[at];
            }
        }
        Arrays.fill(last, (byte) 0);
        return sum;
    }
}
