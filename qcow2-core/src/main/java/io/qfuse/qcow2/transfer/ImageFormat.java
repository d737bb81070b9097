package io.qfuse.qcow2.transfer;

import io.qfuse.qcow2.io.NativeHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/** How a file holds a disk. */
public enum ImageFormat {
    /** Byte for byte. */
    RAW,
    /** As a qcow2 image. */
    QCOW2;

    private static final int QCOW2_MAGIC = 0x514649fb;

    /**
     * What a file looks like: a qcow2 image where it begins as one, else raw bytes. A raw disk whose contents a stranger
     * chooses can be made to look like either, so say what it is where that is known.
     *
     * @throws io.qfuse.qcow2.io.HostIoException if the file cannot be read
     */
    public static ImageFormat of(Path file) throws IOException {
        byte[] magic = new byte[Integer.BYTES];
        try (NativeHostFile opened = NativeHostFile.open(file, false)) {
            opened.read(0, magic);
        }
        return ByteBuffer.wrap(magic).getInt() == QCOW2_MAGIC ? QCOW2 : RAW;
    }
}
