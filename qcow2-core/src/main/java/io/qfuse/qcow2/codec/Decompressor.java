package io.qfuse.qcow2.codec;

/** Turns the compressed stream of one cluster into the cluster (format notes, section 6). */
public interface Decompressor extends AutoCloseable {

    /**
     * Fills a cluster.
     *
     * @param stream the native address of the stream; what follows the stream's end is garbage
     * @param length the bytes there that may be read
     * @param cluster the native address of the memory that is filled; its content is undefined after an exception
     * @param size the cluster's bytes
     * @throws DecompressException where the stream is damaged or gives fewer bytes than the cluster has, or, with zstd,
     *     more
     */
    void decompress(long stream, int length, long cluster, int size) throws DecompressException;

    /** Frees native memory; the last call. */
    @Override
    void close();
}
