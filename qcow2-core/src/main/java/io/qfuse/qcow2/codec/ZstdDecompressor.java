package io.qfuse.qcow2.codec;

import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import io.qfuse.qcow2.io.NativeBuffer;
import java.nio.ByteBuffer;

/** One or more zstd frames. For one thread at a time. */
final class ZstdDecompressor implements Decompressor {

    /** Writers never need more than a cluster, 2 MiB; a frame may ask for gigabytes of memory. */
    private static final int MAX_WINDOW_LOG = 23;

    private final ZstdDecompressCtx context = new ZstdDecompressCtx();

    @Override
    public void decompress(long stream, int length, long cluster, int size) throws DecompressException {
        ByteBuffer in = NativeBuffer.wrap(stream, length);
        ByteBuffer out = NativeBuffer.wrap(cluster, size);
        try {
            context.reset(); // forgets the parameters as well
            context.setLongMax(MAX_WINDOW_LOG);
            boolean frameEnded = false;
            while (out.hasRemaining()) {
                int before = in.remaining() + out.remaining();
                frameEnded = context.decompressDirectByteBufferStream(out, in);
                if (in.remaining() + out.remaining() == before) {
                    throw new DecompressException(
                            "the zstd stream ends after " + out.position() + " of " + size + " bytes");
                }
            }
            if (!frameEnded) {
                throw new DecompressException("the zstd stream does not end with the cluster");
            }
        } catch (ZstdException e) {
            throw new DecompressException("the zstd stream is damaged: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        context.close();
    }
}
