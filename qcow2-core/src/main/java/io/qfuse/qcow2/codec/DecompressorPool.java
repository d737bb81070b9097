package io.qfuse.qcow2.codec;

import io.qfuse.qcow2.format.Header;
import java.util.ArrayDeque;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The decompressors of one image. Safe for many threads, which decompress in parallel; there are never more
 * decompressors than threads were inside at once.
 */
public final class DecompressorPool implements Decompressor {

    private final Supplier<Decompressor> maker;
    private final Object lock = new Object(); // protects idle and closed
    private final ArrayDeque<Decompressor> idle = new ArrayDeque<>();
    private boolean closed;

    private DecompressorPool(Supplier<Decompressor> maker) {
        this.maker = maker;
    }

    /**
     * A pool for the compression type of a header.
     *
     * @param compressionType 0 deflate, 1 zstd; anything else has been refused with the header
     */
    public static DecompressorPool of(int compressionType) {
        if (compressionType == Header.COMPRESSION_ZSTD) {
            return new DecompressorPool(ZstdDecompressor::new);
        }
        return new DecompressorPool(Libdeflate.isInstalled() ? LibdeflateDecompressor::new : DeflateDecompressor::new);
    }

    @Override
    public void decompress(long stream, int length, long cluster, int size) throws DecompressException {
        Decompressor decompressor = take();
        try {
            decompressor.decompress(stream, length, cluster, size);
        } finally {
            giveBack(decompressor);
        }
    }

    /** Frees what is idle; a decompressor at work is freed when its call returns. */
    @Override
    public void close() {
        synchronized (lock) {
            closed = true;
            idle.forEach(Decompressor::close);
            idle.clear();
        }
    }

    private Decompressor take() {
        @Nullable Decompressor decompressor;
        synchronized (lock) {
            // The last one returned: its native memory is the likeliest to be in the processor's cache.
            decompressor = idle.pollLast();
        }
        return decompressor != null ? decompressor : maker.get();
    }

    private void giveBack(Decompressor decompressor) {
        synchronized (lock) {
            if (!closed) {
                idle.addLast(decompressor);
                return;
            }
        }
        decompressor.close();
    }
}
