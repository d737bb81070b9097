package io.qfuse.qcow2.codec;

import io.qfuse.qcow2.io.NativeBuffer;
import java.nio.ByteBuffer;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** Raw deflate, without a zlib header, as the JDK does it. For one thread at a time. */
final class DeflateDecompressor implements Decompressor {

    private final Inflater inflater = new Inflater(true);

    @Override
    public void decompress(long stream, int length, long cluster, int size) throws DecompressException {
        ByteBuffer out = NativeBuffer.wrap(cluster, size);
        inflater.reset();
        inflater.setInput(NativeBuffer.wrap(stream, length));
        while (out.hasRemaining()) {
            if (inflate(out) == 0) {
                throw new DecompressException("the deflate stream " + (inflater.finished() ? "ends" : "is cut off")
                        + " after " + out.position() + " of " + size + " bytes");
            }
        }
    }

    private int inflate(ByteBuffer out) throws DecompressException {
        try {
            return inflater.inflate(out);
        } catch (DataFormatException e) {
            throw new DecompressException("the deflate stream is damaged: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        inflater.end();
    }
}
