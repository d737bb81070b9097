package io.qfuse.qcow2.codec;

/** Turns the compressed stream of one cluster into the cluster (format notes, section 6). */
public interface Decompressor extends AutoCloseable {

    /**
     * Fills a cluster.
     *
     * @param stream starts with the stream; what follows its end is garbage
     * @param length the bytes of {@code stream} that may be read
     * @param cluster is filled whole; its content is undefined after an exception
     * @throws DecompressException where the stream is damaged or gives fewer bytes than the cluster has, or, with zstd,
     *     more
     */
    void decompress(byte[] stream, int length, byte[] cluster) throws DecompressException;

    /** Frees native memory; the last call. */
    @Override
    void close();
}
