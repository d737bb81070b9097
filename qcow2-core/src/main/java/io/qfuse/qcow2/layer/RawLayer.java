package io.qfuse.qcow2.layer;

import io.qfuse.qcow2.Extent;
import io.qfuse.qcow2.HostAccess;
import io.qfuse.qcow2.Layer;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.util.Optional;

/**
 * A raw file as the lowest layer of a chain. Its size is rounded up to whole sectors, the added bytes are zeroes (format
 * notes, section 11). Its holes are what the host file system says.
 */
public final class RawLayer implements Layer {

    private final HostFile file;
    private final long size;

    /** A layer over a file, which is closed with it. */
    public RawLayer(HostFile file) throws IOException {
        this.file = file;
        this.size = (file.size() + Geometry.SECTOR - 1) & -Geometry.SECTOR;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public long allocatedBytes() throws IOException {
        return file.allocatedBytes();
    }

    @Override
    public Optional<HostAccess> access() throws IOException {
        return file.access();
    }

    @Override
    public void read(long offset, long address, int length) throws IOException {
        file.read(offset, address, length);
    }

    @Override
    public Extent nextExtent(long offset) throws IOException {
        long data = file.seekData(offset);
        if (data < 0 || data >= size) {
            return new Extent(Extent.Kind.HOLE, offset, size - offset);
        }
        if (data > offset) {
            return new Extent(Extent.Kind.HOLE, offset, data - offset);
        }
        long hole = Math.max(offset + 1, Math.min(file.seekHole(offset), size));
        return new Extent(Extent.Kind.DATA, offset, hole - offset);
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
