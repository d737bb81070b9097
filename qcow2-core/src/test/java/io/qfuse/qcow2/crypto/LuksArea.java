package io.qfuse.qcow2.crypto;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.io.NativeBuffer;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Random;

/** Makes LUKS headers with one active key slot, for tests without qemu. */
public final class LuksArea {

    /** Where the key material of the slot is. */
    static final int MATERIAL = 4096;

    private static final int ITERATIONS = 7;
    private static final int SLOTS = 8;
    private static final int PAYLOAD_SECTOR = 4040;

    private LuksArea() {}

    /** A header with its key material, for a key of that many bytes; as short as we accept it. */
    public static byte[] create(String cipher, String mode, String hash, int keyBytes, byte[] passphrase)
            throws Qcow2Exception {
        return create(cipher, mode, hash, keyBytes, passphrase, false);
    }

    /** The same with room for the material of all slots, without which QEMU does not take it. */
    public static byte[] createWhole(String cipher, String mode, String hash, int keyBytes, byte[] passphrase)
            throws Qcow2Exception {
        return create(cipher, mode, hash, keyBytes, passphrase, true);
    }

    private static byte[] create(
            String cipher, String mode, String hash, int keyBytes, byte[] passphrase, boolean whole)
            throws Qcow2Exception {
        Random random = new Random(keyBytes);
        byte[] key = random(random, keyBytes);
        byte[] slotSalt = random(random, 32);
        byte[] digestSalt = random(random, 32);
        Hash hashing = Hash.of(hash, Path.of("test"));
        int material = (keyBytes * LuksHeader.STRIPES + 511) & -512;
        int room = (material + MATERIAL - 1) & -MATERIAL; // QEMU's slots begin at multiples of so many bytes
        ByteBuffer area = ByteBuffer.allocate(MATERIAL + (whole ? SLOTS * room : material));
        area.put(0, new byte[] {'L', 'U', 'K', 'S', (byte) 0xba, (byte) 0xbe, 0, 1});
        area.put(8, cipher.getBytes(StandardCharsets.US_ASCII));
        area.put(40, mode.getBytes(StandardCharsets.US_ASCII));
        area.put(72, hash.getBytes(StandardCharsets.US_ASCII));
        area.putInt(104, PAYLOAD_SECTOR).putInt(108, keyBytes).putInt(164, ITERATIONS);
        area.put(112, Pbkdf2.derive(hashing, key, digestSalt, ITERATIONS, 20)).put(132, digestSalt);
        area.put(168, "a-name".getBytes(StandardCharsets.US_ASCII));
        for (int slot = 0; slot < SLOTS; slot++) {
            // The second one has the first place, and the first one the second.
            int place = whole ? MATERIAL + room * (slot ^ 1) : 0;
            area.putInt(208 + 48 * slot, 0xdead);
            area.putInt(248 + 48 * slot, place / 512).putInt(252 + 48 * slot, whole ? LuksHeader.STRIPES : 0);
        }
        // The second one: the first is passed over.
        area.putInt(256, 0x00ac71f3).putInt(260, ITERATIONS).put(264, slotSalt);
        area.putInt(296, MATERIAL / 512).putInt(300, LuksHeader.STRIPES);
        byte[] slotKey = Pbkdf2.derive(hashing, passphrase, slotSalt, ITERATIONS, keyBytes);
        CipherSpec spec = CipherSpec.parse(cipher, mode, keyBytes, Path.of("test"));
        area.put(MATERIAL, encrypt(spec, slotKey, split(hashing, key, random), material));
        return area.array();
    }

    /** The stripes of a key: random ones, and a last one that makes the key of them. */
    static byte[] split(Hash hash, byte[] key, Random random) {
        byte[] stripes = random(random, key.length * LuksHeader.STRIPES);
        MessageDigest digest = hash.create();
        byte[] sum = new byte[key.length];
        int last = key.length * (LuksHeader.STRIPES - 1);
        for (int at = 0; at < last; at += key.length) {
            for (int i = 0; i < key.length; i++) {
                sum[i] ^= stripes[at + i];
            }
            AntiForensic.diffuse(digest, sum);
        }
        for (int i = 0; i < key.length; i++) {
            stripes[last + i] = (byte) (sum[i] ^ key[i]);
        }
        return stripes;
    }

    private static byte[] encrypt(CipherSpec spec, byte[] key, byte[] bytes, int whole) {
        byte[] encrypted = new byte[whole];
        try (NativeBuffer buffer = NativeBuffer.allocate(whole);
                GuestCipher cipher = new GuestCipher(spec, key)) {
            NativeBuffer.zero(buffer.address(), whole);
            NativeBuffer.put(buffer.address(), bytes, 0, bytes.length);
            cipher.encrypt(buffer.address(), buffer.address(), whole, 0);
            NativeBuffer.get(buffer.address(), encrypted, 0, whole);
        }
        return encrypted;
    }

    private static byte[] random(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }
}
