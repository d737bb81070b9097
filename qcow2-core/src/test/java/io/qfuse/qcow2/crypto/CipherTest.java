package io.qfuse.qcow2.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.io.NativeBuffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import javax.crypto.Cipher;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The parts against published answers, and against the JDK where it has the same. */
final class CipherTest {

    private static final HexFormat HEX = HexFormat.of();

    @ParameterizedTest
    @CsvSource({
        // IEEE 1619-2007, vectors 4 and 10: the ends of the result, and its SHA-256.
        "27182818284590452353602874713526, 31415926535897932384626433832795, 0, 27a7479befa1d476489f308cd4cfa6e2,"
                + " 0a282df920147beabe421ee5319d0568, ebee4d64dd2395bb2d6a2d37a0a48ecb2bf4913cfc99d27c2214f2f4144715ea",
        "2718281828459045235360287471352662497757247093699959574966967627,"
                + " 3141592653589793238462643383279502884197169399375105820974944592, 255,"
                + " 1c3b3a102f770386e4836c99e370cf9b, c4f36ffda9fcea70b9c6e693e148c151,"
                + " e97e974fa393af794f7a4684395814cf820de60a01eaec677d87b452e316b364"
    })
    void xts_gives_what_its_standard_says(
            String first, String second, long sector, String start, String end, String hash) throws Exception {
        byte[] key = HEX.parseHex(first + second);
        byte[] plain = new byte[512];
        for (int i = 0; i < plain.length; i++) {
            plain[i] = (byte) i;
        }
        byte[] encrypted = apply(spec("aes", "xts-plain64", key.length), key, plain, sector, true);
        assertThat(HEX.formatHex(encrypted)).startsWith(start).endsWith(end);
        assertThat(MessageDigest.getInstance("SHA-256").digest(encrypted)).isEqualTo(HEX.parseHex(hash));
    }

    @Test
    void essiv_encrypts_the_number_of_the_sector_under_the_hash_of_the_key() throws Exception {
        byte[] key = bytes(32);
        byte[] plain = bytes(1024);
        byte[] encrypted = apply(spec("aes", "cbc-essiv:sha256", 32), key, plain, 77, true);
        Cipher numbers = Cipher.getInstance("AES/ECB/NoPadding");
        byte[] hashed = MessageDigest.getInstance("SHA-256").digest(key);
        numbers.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(hashed, "AES"));
        for (int i = 0; i < 2; i++) {
            byte[] number = ByteBuffer.allocate(16)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(77 + i)
                    .array();
            assertThat(Arrays.copyOfRange(encrypted, i * 512, i * 512 + 512))
                    .isEqualTo(cbc(key, numbers.doFinal(number), Arrays.copyOfRange(plain, i * 512, i * 512 + 512)));
        }
    }

    @Test
    void plain_has_32_bits_of_the_number_and_plain64_all() throws Exception {
        byte[] key = bytes(16);
        byte[] plain = bytes(512);
        byte[] iv = new byte[16];
        iv[0] = 5;
        assertThat(apply(spec("aes", "cbc-plain", 16), key, plain, 0x3_0000_0005L, true))
                .isEqualTo(cbc(key, iv, plain));
        iv[4] = 3;
        assertThat(apply(spec("aes", "cbc-plain64", 16), key, plain, 0x3_0000_0005L, true))
                .isEqualTo(cbc(key, iv, plain));
        assertThat(apply(CipherSpec.LEGACY, key, plain, 0x3_0000_0005L, true)).isEqualTo(cbc(key, iv, plain));
    }

    private static byte[] cbc(byte[] key, byte[] iv, byte[] plain) throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("AES/CBC/NoPadding");
        cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"), new IvParameterSpec(iv));
        return cipher.doFinal(plain);
    }

    @ParameterizedTest
    @CsvSource({
        "aes, xts-plain64, 64",
        "aes, cbc-essiv:md5, 24",
        "aes, ecb-plain64, 32",
        "serpent, xts-plain, 64",
        "twofish, ctr-essiv:sha256, 32",
        "cast5, cbc-plain64, 16",
        "sm4, cbc-essiv:md5, 16"
    })
    void what_was_encrypted_in_any_pieces_is_decrypted_in_any_others(String cipher, String mode, int keyBytes)
            throws Exception {
        CipherSpec spec = spec(cipher, mode, keyBytes);
        byte[] key = bytes(keyBytes);
        byte[] plain = bytes(200 * 512);
        byte[] encrypted = apply(spec, key, plain, 1000, true);
        assertThat(encrypted).isNotEqualTo(plain);
        byte[] alone = apply(spec, key, Arrays.copyOfRange(plain, 99 * 512, 100 * 512), 1099, true);
        assertThat(alone).isEqualTo(Arrays.copyOfRange(encrypted, 99 * 512, 100 * 512));
        assertThat(apply(spec, key, encrypted, 1000, false)).isEqualTo(plain);
    }

    @Test
    void threads_work_under_one_key_at_once() throws Exception {
        byte[] plain = bytes(64 << 10);
        byte[] key = bytes(64);
        CipherSpec spec = spec("aes", "xts-plain64", 64);
        byte[] encrypted = apply(spec, key, plain, 9, true);
        AtomicInteger right = new AtomicInteger();
        try (GuestCipher cipher = new GuestCipher(spec, key.clone())) {
            Thread[] threads = new Thread[4];
            for (int i = 0; i < threads.length; i++) {
                threads[i] = new Thread(() -> {
                    try (NativeBuffer buffer = NativeBuffer.allocate(plain.length)) {
                        for (int round = 0; round < 50; round++) {
                            NativeBuffer.put(buffer.address(), encrypted, 0, plain.length);
                            cipher.decrypt(buffer.address(), plain.length, 9);
                            byte[] result = new byte[plain.length];
                            NativeBuffer.get(buffer.address(), result, 0, plain.length);
                            right.addAndGet(Arrays.equals(result, plain) ? 1 : 0);
                        }
                    }
                });
                threads[i].start();
            }
            for (Thread thread : threads) {
                thread.join();
            }
        }
        assertThat(right).hasValue(200);
    }

    @ParameterizedTest
    @CsvSource({"SHA1, HmacSHA1", "SHA224, HmacSHA224", "SHA256, HmacSHA256", "SHA384, HmacSHA384", "SHA512, HmacSHA512"
    })
    void pbkdf2_is_that_of_the_jdk(Hash hash, String name) throws Exception {
        SecretKeyFactory jdk = SecretKeyFactory.getInstance("PBKDF2With" + name);
        for (String password : new String[] {"p", "a password that is longer than a block of any hash: ".repeat(4)}) {
            byte[] salt = bytes(32);
            byte[] ours = Pbkdf2.derive(hash, password.getBytes(StandardCharsets.US_ASCII), salt, 100, 70);
            PBEKeySpec spec = new PBEKeySpec(password.toCharArray(), salt, 100, 70 * 8);
            assertThat(ours).isEqualTo(jdk.generateSecret(spec).getEncoded());
        }
    }

    @ParameterizedTest
    @CsvSource({
        // RFC 2202 and RFC 2286, the first of each.
        "MD5, 16, 9294727a3638bb1c13f48ef8158bfc9d",
        "RIPEMD160, 20, 24cb4bd67d20fc1a5d2ed7732dcc39377f0a5668"
    })
    void hmac_gives_what_its_standards_say(Hash hash, int keyBytes, String expected) {
        byte[] key = new byte[keyBytes];
        Arrays.fill(key, (byte) 0x0b);
        byte[] result = new byte[keyBytes];
        new Hmac(hash, key).apply("Hi There".getBytes(StandardCharsets.US_ASCII), result);
        assertThat(HEX.formatHex(result)).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({"SHA1, 64", "SHA256, 16", "SHA512, 64", "RIPEMD160, 48"})
    void a_key_that_was_split_is_merged(Hash hash, int length) {
        byte[] key = bytes(length);
        byte[] stripes = LuksArea.split(hash, key, new Random(3));
        assertThat(AntiForensic.merge(hash, stripes, length, LuksHeader.STRIPES))
                .isEqualTo(key);
    }

    private static CipherSpec spec(String cipher, String mode, int keyBytes) throws Exception {
        return CipherSpec.parse(cipher, mode, keyBytes, Path.of("test"));
    }

    private static byte[] apply(CipherSpec spec, byte[] key, byte[] bytes, long sector, boolean encrypt) {
        byte[] result = new byte[bytes.length];
        try (NativeBuffer buffer = NativeBuffer.allocate(bytes.length);
                GuestCipher cipher = new GuestCipher(spec, key.clone())) {
            NativeBuffer.put(buffer.address(), bytes, 0, bytes.length);
            if (encrypt) {
                cipher.encrypt(buffer.address(), buffer.address(), bytes.length, sector);
            } else {
                cipher.decrypt(buffer.address(), bytes.length, sector);
            }
            NativeBuffer.get(buffer.address(), result, 0, bytes.length);
        }
        return result;
    }

    private static byte[] bytes(int length) {
        byte[] bytes = new byte[length];
        new Random(length).nextBytes(bytes);
        return bytes;
    }
}
