package io.qfuse.qcow2.crypto;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Locale;
import org.bouncycastle.crypto.digests.RIPEMD160Digest;
import org.bouncycastle.crypto.digests.SM3Digest;

/** The hashes that a LUKS header may name. */
enum Hash {
    MD5("MD5", 64, 2),
    SHA1("SHA-1", 64, 1),
    SHA224("SHA-224", 64, 1),
    SHA256("SHA-256", 64, 1),
    SHA384("SHA-384", 128, 4),
    SHA512("SHA-512", 128, 4),
    RIPEMD160("", 64, 4),
    SM3("", 64, 4);

    private final String jdkName;
    private final int block;
    private final int cost;

    Hash(String jdkName, int block, int cost) {
        this.jdkName = jdkName;
        this.block = block;
        this.cost = cost;
    }

    /** The hash of a name as the header has it. */
    static Hash of(String name, Path path) throws Qcow2Exception {
        return Arrays.stream(values())
                .filter(hash -> hash.label().equals(name))
                .findFirst()
                .orElseThrow(() -> new Qcow2Exception(Kind.UNSUPPORTED, path, "unknown LUKS hash \"" + name + "\""));
    }

    /** Its name in the header. */
    String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Bytes of what HMAC works on. */
    int blockSize() {
        return block;
    }

    /** About how long it takes, SHA-256 on a processor that helps with it being 1. */
    int cost() {
        return cost;
    }

    /** A fresh one, which can be cloned. */
    MessageDigest create() {
        try {
            return switch (this) {
                case RIPEMD160 -> new ForeignDigest(new RIPEMD160Digest());
                case SM3 -> new ForeignDigest(new SM3Digest());
                default -> MessageDigest.getInstance(jdkName);
            };
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every Java has them
        }
    }
}
