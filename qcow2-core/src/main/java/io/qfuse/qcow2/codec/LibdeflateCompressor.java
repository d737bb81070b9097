package io.qfuse.qcow2.codec;

/** Raw deflate by {@link Libdeflate}. */
final class LibdeflateCompressor implements Compressor {

    private final Libdeflate.Calls calls = Libdeflate.calls();
    private final long compressor = calls.libdeflate_alloc_compressor(Libdeflate.LEVEL);

    LibdeflateCompressor() {
        if (compressor == 0) {
            throw new OutOfMemoryError("no native memory for a compressor");
        }
    }

    @Override
    public int compress(long cluster, int size, long stream) {
        return (int) calls.libdeflate_deflate_compress(compressor, cluster, size, stream, size - 1);
    }

    @Override
    public void close() {
        calls.libdeflate_free_compressor(compressor);
    }
}
