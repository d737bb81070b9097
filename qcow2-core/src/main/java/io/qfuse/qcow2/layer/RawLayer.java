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
 *
 * <p>A file system may walk over each page of a run to tell where it ends (tmpfs does). So the last run of data found is
 * remembered: whoever copies cluster after cluster out of a large file would walk through it once for each of them. Holes are
 * not: what was one when it was asked may have been filled since.
 */
public final class RawLayer implements Layer {

    private final HostFile file;
    private final long size;

    /** The run of data found last; threads that race lose nothing but time. */
    private volatile Extent known = new Extent(Extent.Kind.DATA, 0, 0);

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
        Extent last = known;
        if (offset >= last.offset() && offset < last.end()) {
            return new Extent(Extent.Kind.DATA, offset, last.end() - offset);
        }
        long data = file.seekData(offset);
        if (data < 0 || data >= size) {
            return new Extent(Extent.Kind.HOLE, offset, size - offset);
        }
        if (data > offset) {
            return new Extent(Extent.Kind.HOLE, offset, data - offset);
        }
        long hole = Math.max(offset + 1, Math.min(file.seekHole(offset), size));
        Extent found = new Extent(Extent.Kind.DATA, offset, hole - offset);
        known = found;
        return found;
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
