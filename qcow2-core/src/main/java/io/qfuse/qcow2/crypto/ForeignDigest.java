package io.qfuse.qcow2.crypto;

import java.security.MessageDigest;
import org.bouncycastle.crypto.ExtendedDigest;
import org.bouncycastle.util.Memoable;

/** A hash that the JDK does not have, behind the JDK's face. For one thread at a time. */
final class ForeignDigest extends MessageDigest {

    private final ExtendedDigest digest;

    /** Takes over a digest, which can be copied. */
    ForeignDigest(ExtendedDigest digest) {
        super(digest.getAlgorithmName());
        this.digest = digest;
    }

    @Override
    public Object clone() {
        return new ForeignDigest((ExtendedDigest) ((Memoable) digest).copy());
    }

    @Override
    protected int engineGetDigestLength() {
        return digest.getDigestSize();
    }

    @Override
    protected void engineUpdate(byte input) {
        digest.update(input);
    }

    @Override
    protected void engineUpdate(byte[] input, int offset, int length) {
        digest.update(input, offset, length);
    }

    @Override
    protected byte[] engineDigest() {
        byte[] result = new byte[digest.getDigestSize()];
        digest.doFinal(result, 0);
        return result;
    }

    @Override
    protected void engineReset() {
        digest.reset();
    }
}
