package io.qfuse.qcow2.codec;

/**
 * Raw deflate by {@link Libdeflate}. What it does not take for exactly one cluster is left to the JDK, whose word counts:
 * a stream that goes on behind the cluster is no mistake. For one thread at a time.
 */
final class LibdeflateDecompressor implements Decompressor {

    private final Libdeflate.Calls calls = Libdeflate.calls();
    private final long decompressor = calls.libdeflate_alloc_decompressor();
    private final DeflateDecompressor other = new DeflateDecompressor();

    LibdeflateDecompressor() {
        if (decompressor == 0) {
            throw new OutOfMemoryError("no native memory for a decompressor");
        }
    }

    @Override
    public void decompress(long stream, int length, long cluster, int size) throws DecompressException {
        int result = calls.libdeflate_deflate_decompress_ex(decompressor, stream, length, cluster, size, 0, 0);
        if (result != Libdeflate.SUCCESS) {
            other.decompress(stream, length, cluster, size);
        }
    }

    @Override
    public void close() {
        calls.libdeflate_free_decompressor(decompressor);
        other.close();
    }
}
