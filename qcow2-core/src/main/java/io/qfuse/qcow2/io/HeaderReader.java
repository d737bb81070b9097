package io.qfuse.qcow2.io;

import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderCodec;
import java.io.IOException;

/** Reads the header of an image. */
public final class HeaderReader {

    /** Bytes that hold a cluster of most images; larger ones take a second read. */
    private static final long USUAL = 64 << 10;

    private HeaderReader() {}

    /**
     * Reads and checks the header; features are not judged.
     *
     * @param file an image, or what passes for one
     * @throws io.qfuse.qcow2.Qcow2Exception where it is none
     */
    public static Header read(HostFile file) throws IOException {
        long length = file.size();
        byte[] start = first(file, Math.min(length, USUAL));
        long needed = Math.min(length, HeaderCodec.needed(start));
        return HeaderCodec.decode(needed > start.length ? first(file, needed) : start, file.path(), length);
    }

    private static byte[] first(HostFile file, long length) throws IOException {
        byte[] bytes = new byte[(int) length];
        file.read(0, bytes);
        return bytes;
    }
}
