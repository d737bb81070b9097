package io.qfuse.qcow2.codec;

import io.qfuse.qcow2.io.NativeBuffer;
import java.util.zip.Deflater;

/** Raw deflate, without a zlib header, as the JDK does it. */
final class DeflateCompressor implements Compressor {

    private final Deflater deflater = new Deflater(Deflater.DEFAULT_COMPRESSION, true);

    @Override
    public int compress(long cluster, int size, long stream) {
        deflater.reset();
        deflater.setInput(NativeBuffer.wrap(cluster, size));
        deflater.finish();
        int length = deflater.deflate(NativeBuffer.wrap(stream, size - 1));
        return deflater.finished() ? length : 0;
    }

    @Override
    public void close() {
        deflater.end();
    }
}
