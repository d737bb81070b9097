package io.qfuse.fuse;

import io.qfuse.qcow2.Disk;
import java.io.IOException;

/** fallocate(2) on a disk; what it cannot do it refuses before any work. */
final class RangeChange {

    static final int KEEP_SIZE = 0x01;
    static final int PUNCH_HOLE = 0x02;
    static final int ZERO_RANGE = 0x10;

    private RangeChange() {}

    static void apply(ImageNode node, int mode, long offset, long length) throws IOException {
        node.requireWritable();
        if (!known(mode)) {
            throw new ErrnoException(Errno.EOPNOTSUPP, "fallocate mode 0x" + Integer.toHexString(mode));
        }
        if (offset < 0 || length <= 0) {
            throw new ErrnoException(Errno.EINVAL, "fallocate of " + length + " bytes at " + offset);
        }
        long end = offset + length;
        if (end < 0) {
            throw new ErrnoException(Errno.EFBIG, "fallocate of " + length + " bytes at " + offset);
        }
        Disk disk = node.disk();
        if ((mode & KEEP_SIZE) == 0 && end > disk.size()) {
            node.resize(end);
        }
        // With KEEP_SIZE the part behind the end is nobody's: local file systems leave it out, too.
        long inside = Math.min(end, disk.size()) - offset;
        if (inside > 0) {
            change(disk, mode, offset, inside);
            node.touched();
        }
    }

    private static void change(Disk disk, int mode, long offset, long length) throws IOException {
        if ((mode & PUNCH_HOLE) != 0) {
            disk.writeZeroes(offset, length, true);
        } else if ((mode & ZERO_RANGE) != 0) {
            disk.writeZeroes(offset, length, false);
        } else {
            disk.allocate(offset, length);
        }
    }

    private static boolean known(int mode) {
        return switch (mode) {
            case 0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE, ZERO_RANGE | KEEP_SIZE -> true;
            default -> false;
        };
    }
}
