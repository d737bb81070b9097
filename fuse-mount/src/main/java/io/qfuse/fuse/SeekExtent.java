package io.qfuse.fuse;

import io.qfuse.qcow2.Disk;
import java.io.IOException;

/** lseek(2) with SEEK_DATA and SEEK_HOLE on a disk. */
final class SeekExtent {

    static final int SEEK_DATA = 3;
    static final int SEEK_HOLE = 4;

    private SeekExtent() {}

    /** The first byte of that kind at or behind {@code offset}; the end of the disk counts as a hole. */
    static long seek(Disk disk, long offset, int whence) throws IOException {
        if (whence != SEEK_DATA && whence != SEEK_HOLE) {
            throw new ErrnoException(Errno.EINVAL, "lseek whence " + whence);
        }
        long size = disk.size();
        if (offset < 0 || offset >= size) {
            throw new ErrnoException(Errno.ENXIO, "lseek at or behind the end");
        }
        boolean hole = whence == SEEK_HOLE;
        for (long at = offset; at < size; ) {
            var extent = disk.nextExtent(at);
            if (extent.isHole() == hole) {
                return at;
            }
            at = extent.end();
        }
        if (hole) {
            return size;
        }
        throw new ErrnoException(Errno.ENXIO, "no data behind " + offset);
    }
}
