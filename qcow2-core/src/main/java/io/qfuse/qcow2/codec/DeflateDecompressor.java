package io.qfuse.qcow2.codec;

import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** Raw deflate, without a zlib header. For one thread at a time. */
final class DeflateDecompressor implements Decompressor {

    private final Inflater inflater = new Inflater(true);

    @Override
    public void decompress(byte[] stream, int length, byte[] cluster) throws DecompressException {
        inflater.reset();
        inflater.setInput(stream, 0, length);
        int filled = 0;
        while (filled < cluster.length) {
            int more = inflate(cluster, filled);
            if (more == 0) {
                throw new DecompressException("the deflate stream " + (inflater.finished() ? "ends" : "is cut off")
                        + " after " + filled + " of " + cluster.length + " bytes");
            }
            filled += more;
        }
    }

    private int inflate(byte[] cluster, int filled) throws DecompressException {
        try {
            return inflater.inflate(cluster, filled, cluster.length - filled);
        } catch (DataFormatException e) {
            throw new DecompressException("the deflate stream is damaged: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        inflater.end();
    }
}
