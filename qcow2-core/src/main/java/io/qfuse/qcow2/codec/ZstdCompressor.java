package io.qfuse.qcow2.codec;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdCompressCtx;
import com.github.luben.zstd.ZstdException;
import io.qfuse.qcow2.io.NativeBuffer;

/** One zstd frame. */
final class ZstdCompressor implements Compressor {

    private final ZstdCompressCtx context = new ZstdCompressCtx();

    ZstdCompressor() {
        context.setLevel(Zstd.defaultCompressionLevel());
    }

    @Override
    public int compress(long cluster, int size, long stream) {
        try {
            return context.compressDirectByteBuffer(
                    NativeBuffer.wrap(stream, size - 1), 0, size - 1, NativeBuffer.wrap(cluster, size), 0, size);
        } catch (ZstdException e) {
            if (e.getErrorCode() == Zstd.errDstSizeTooSmall()) {
                return 0;
            }
            throw e;
        }
    }

    @Override
    public void close() {
        context.close();
    }
}
