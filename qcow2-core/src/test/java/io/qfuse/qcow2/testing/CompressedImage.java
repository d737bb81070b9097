package io.qfuse.qcow2.testing;

import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.testing.ImageTally.Use;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.zip.Deflater;

/** Makes stored clusters of an image compressed ones, each stream at the start of what was its cluster. */
public final class CompressedImage {

    private CompressedImage() {}

    /** Compresses each stored cluster whose stream is short enough; the rest of its place keeps what it held. */
    public static void compress(MemoryHostFile image, ImageKind kind) throws IOException {
        ImageTally tally = new ImageTally(image);
        for (long at = 0; at < image.size(); at += 8) {
            long entry = ByteBuffer.wrap(image.bytes(at, 8)).getLong();
            if (tally.use(at) == Use.L2 && L2Entry.hostOffset(entry) != 0 && !L2Entry.isZero(entry)) {
                long host = L2Entry.hostOffset(entry);
                byte[] stream = deflate(image.bytes(host, kind.clusterSize()));
                if (stream.length <= kind.clusterSize()) {
                    image.write(host, stream, 0, stream.length);
                    long word = entry(kind, host, stream.length);
                    image.write(at, ByteBuffer.allocate(8).putLong(word).array(), 0, 8);
                }
            }
        }
    }

    /** The entry of a stream at the start of a sector. */
    public static long entry(ImageKind kind, long host, int length) {
        long furtherSectors = (length - 1L) / 512;
        return L2Entry.COMPRESSED | host | (furtherSectors << (62 - (kind.clusterBits() - 8)));
    }

    /** Raw deflate. */
    public static byte[] deflate(byte[] cluster) {
        Deflater deflater = new Deflater(1, true);
        deflater.setInput(cluster);
        deflater.finish();
        byte[] stream = new byte[2 * cluster.length + 100];
        int length = deflater.deflate(stream);
        deflater.end();
        return Arrays.copyOf(stream, length);
    }
}
