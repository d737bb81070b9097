package io.qfuse.qcow2.codec;

import io.qfuse.qcow2.CreateOptions.Compression;

/** Turns clusters into compressed streams (format notes, section 6). For one thread at a time. */
public interface Compressor extends AutoCloseable {

    /**
     * A compressor for images of this kind. What it makes, every reader of the format can read; how small it gets a cluster
     * depends on what the host has.
     */
    static Compressor of(Compression compression) {
        return switch (compression) {
            case ZSTD -> new ZstdCompressor();
            case ZLIB -> Libdeflate.isInstalled() ? new LibdeflateCompressor() : new DeflateCompressor();
        };
    }

    /**
     * Compresses a cluster.
     *
     * @param cluster the native address of the cluster
     * @param size its bytes
     * @param stream the native address of at least {@code size} bytes where the stream goes; undefined where it is not stored
     * @return the stream's bytes, fewer than {@code size}; 0 where it would not be smaller than the cluster
     */
    int compress(long cluster, int size, long stream);

    /** Frees native memory; the last call. */
    @Override
    void close();
}
