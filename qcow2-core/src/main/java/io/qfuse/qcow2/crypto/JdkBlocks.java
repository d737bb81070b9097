package io.qfuse.qcow2.crypto;

import java.security.GeneralSecurityException;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** AES of the JDK, which uses the processor's. */
final class JdkBlocks implements Blocks {

    private static final int SIZE = 16;

    private final Cipher cipher;

    private JdkBlocks(Cipher cipher) {
        this.cipher = cipher;
    }

    /** Each block for itself. */
    static Blocks ecb(byte[] key, boolean encrypt) {
        try {
            Cipher cipher = Cipher.getInstance("AES/ECB/NoPadding");
            cipher.init(encrypt ? Cipher.ENCRYPT_MODE : Cipher.DECRYPT_MODE, new SecretKeySpec(key, "AES"));
            return new JdkBlocks(cipher);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e); // every Java has AES
        }
    }

    /** The blocks of each call chained, from an initialization vector of zeroes on. */
    static Blocks cbc(byte[] key, boolean encrypt) {
        try {
            Cipher cipher = Cipher.getInstance("AES/CBC/NoPadding");
            cipher.init(
                    encrypt ? Cipher.ENCRYPT_MODE : Cipher.DECRYPT_MODE,
                    new SecretKeySpec(key, "AES"),
                    new IvParameterSpec(new byte[SIZE]));
            return new JdkBlocks(cipher);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e); // every Java has AES
        }
    }

    @Override
    public int size() {
        return SIZE;
    }

    @Override
    public void apply(byte[] from, byte[] to, int at, int length) {
        try {
            cipher.doFinal(from, at, length, to, at);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e); // whole blocks, and as much room
        }
    }
}
