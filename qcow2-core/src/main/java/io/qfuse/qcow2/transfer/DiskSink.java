package io.qfuse.qcow2.transfer;

import io.qfuse.qcow2.Disk;
import java.io.IOException;

/** A qcow2 image that is open for writing. */
final class DiskSink extends PlainSink {

    private final Disk disk;
    private final int clusterSize;

    /**
     * A sink over an image, which is closed with it.
     *
     * @param clusterSize what it stores as one, in bytes
     * @param clears whether zeroes have to be written
     */
    DiskSink(Disk disk, int clusterSize, boolean clears) {
        super(clears);
        this.disk = disk;
        this.clusterSize = clusterSize;
    }

    @Override
    public int unit() {
        return clusterSize;
    }

    @Override
    void put(long offset, long address, int length) throws IOException {
        disk.write(offset, address, length);
    }

    @Override
    void clear(long offset, long length) throws IOException {
        disk.writeZeroes(offset, length, true);
    }

    @Override
    public void finish() throws IOException {
        disk.flush();
    }

    @Override
    public void close() throws IOException {
        disk.close();
    }
}
