package io.qfuse.qcow2.transfer;

import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;

/** A raw file or a block device. */
final class RawSink extends PlainSink {

    private final HostFile file;

    /**
     * A sink over a file as long as the disk at least, which is closed with it.
     *
     * @param clears whether zeroes have to be written
     */
    RawSink(HostFile file, boolean clears) {
        super(clears);
        this.file = file;
    }

    @Override
    public int unit() {
        return Geometry.SECTOR;
    }

    @Override
    void put(long offset, long address, int length) throws IOException {
        file.write(offset, address, length);
    }

    @Override
    void clear(long offset, long length) throws IOException {
        file.punchHole(offset, length);
    }

    @Override
    public void finish() throws IOException {
        file.sync();
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
