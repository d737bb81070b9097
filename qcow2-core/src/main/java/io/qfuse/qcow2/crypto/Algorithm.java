package io.qfuse.qcow2.crypto;

import java.util.Locale;
import org.bouncycastle.crypto.BlockCipher;
import org.bouncycastle.crypto.engines.CAST5Engine;
import org.bouncycastle.crypto.engines.SM4Engine;
import org.bouncycastle.crypto.engines.SerpentEngine;
import org.bouncycastle.crypto.engines.TwofishEngine;

/** The block ciphers that a LUKS header may name. */
enum Algorithm {
    AES(16, 32),
    SERPENT(16, 32),
    TWOFISH(16, 32),
    CAST5(8, 16),
    SM4(16, 16);

    private static final int SHORTEST_KEY = 16;

    private final int blockSize;
    private final int longestKey;

    Algorithm(int blockSize, int longestKey) {
        this.blockSize = blockSize;
        this.longestKey = longestKey;
    }

    /** Its name in the header. */
    String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    int blockSize() {
        return blockSize;
    }

    /** Whether it takes keys of that many bytes. */
    boolean takes(int keySize) {
        return keySize >= SHORTEST_KEY && keySize <= longestKey && keySize % Long.BYTES == 0;
    }

    /** Each block for itself. */
    Blocks ecb(byte[] key, boolean encrypt) {
        return this == AES ? JdkBlocks.ecb(key, encrypt) : EngineBlocks.ecb(engine(), key, encrypt);
    }

    /** The blocks of each call chained, from an initialization vector of zeroes on. */
    Blocks cbc(byte[] key, boolean encrypt) {
        return this == AES ? JdkBlocks.cbc(key, encrypt) : EngineBlocks.cbc(engine(), key, encrypt);
    }

    private BlockCipher engine() {
        return switch (this) {
            case AES -> throw new IllegalStateException("AES comes from the JDK");
            case SERPENT -> new SerpentEngine();
            case TWOFISH -> new TwofishEngine();
            case CAST5 -> new CAST5Engine();
            case SM4 -> new SM4Engine();
        };
    }
}
