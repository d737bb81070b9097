package io.qfuse.qcow2.crypto;

import org.bouncycastle.crypto.BlockCipher;
import org.bouncycastle.crypto.modes.CBCBlockCipher;
import org.bouncycastle.crypto.params.KeyParameter;
import org.bouncycastle.crypto.params.ParametersWithIV;

/** The ciphers that the JDK does not have. */
final class EngineBlocks implements Blocks {

    private final BlockCipher cipher;

    private EngineBlocks(BlockCipher cipher) {
        this.cipher = cipher;
    }

    /** Each block for itself. */
    static Blocks ecb(BlockCipher engine, byte[] key, boolean encrypt) {
        engine.init(encrypt, new KeyParameter(key));
        return new EngineBlocks(engine);
    }

    /** The blocks of each call chained, from an initialization vector of zeroes on. */
    static Blocks cbc(BlockCipher engine, byte[] key, boolean encrypt) {
        BlockCipher chained = CBCBlockCipher.newInstance(engine);
        chained.init(encrypt, new ParametersWithIV(new KeyParameter(key), new byte[engine.getBlockSize()]));
        return new EngineBlocks(chained);
    }

    @Override
    public int size() {
        return cipher.getBlockSize();
    }

    @Override
    public void apply(byte[] from, byte[] to, int at, int length) {
        cipher.reset();
        for (int block = at; block < at + length; block += cipher.getBlockSize()) {
            cipher.processBlock(from, block, to, block);
        }
    }
}
