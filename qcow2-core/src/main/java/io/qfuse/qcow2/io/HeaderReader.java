package io.qfuse.qcow2.io;

import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderCodec;
import io.qfuse.qcow2.format.Limits;
import java.io.IOException;

/** Reads the header of an image. */
public final class HeaderReader {

    private HeaderReader() {}

    /**
     * Reads and checks the header; features are not judged.
     *
     * @param file an image, or what passes for one
     * @throws io.qfuse.qcow2.Qcow2Exception where it is none
     */
    public static Header read(HostFile file) throws IOException {
        long length = file.size();
        byte[] start = new byte[(int) Math.min(length, 1L << Limits.MAX_CLUSTER_BITS)];
        file.read(0, start);
        return HeaderCodec.decode(start, file.path(), length);
    }
}
