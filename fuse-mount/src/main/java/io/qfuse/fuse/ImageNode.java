package io.qfuse.fuse;

import io.qfuse.qcow2.Disk;
import java.io.IOException;
import java.lang.System.Logger.Level;

/**
 * One disk as a file: its attributes, and reads and writes that end at its border.
 *
 * <p>Owner and permission bits can be changed as those of a device node can: they hold for as long as the mount does.
 */
final class ImageNode implements Node {

    private static final System.Logger LOG = System.getLogger(ImageNode.class.getPackageName());

    private static final int WRITE_BITS = 0222;

    private final long number;
    private final String name;
    private final Disk disk;

    private volatile int permissions;
    private volatile int uid;
    private volatile int gid;
    private volatile long modifiedMillis;
    /** What the disk took when it was asked last: told when it cannot be asked. */
    private volatile long lastAllocated;

    /**
     * A disk as a file.
     *
     * @param modifiedMillis the last change before the first one here, in milliseconds since 1970
     */
    ImageNode(long number, String name, Disk disk, Permissions initial, long modifiedMillis) {
        this.number = number;
        this.name = name;
        this.disk = disk;
        this.permissions = disk.writable() ? initial.file() : initial.file() & ~WRITE_BITS;
        this.uid = initial.uid();
        this.gid = initial.gid();
        this.modifiedMillis = modifiedMillis;
    }

    @Override
    public long number() {
        return number;
    }

    Disk disk() {
        return disk;
    }

    @Override
    public NodeAttributes attributes() {
        int mode = NodeAttributes.REGULAR | permissions;
        return new NodeAttributes(number, mode, 1, uid, gid, disk.size(), allocated(), modifiedMillis);
    }

    long allocated() {
        try {
            lastAllocated = disk.allocatedBytes();
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "stat tells the last known space", e);
        }
        return lastAllocated;
    }

    void chmod(int mode) {
        permissions = mode & 0777;
    }

    /** Changes owner and group; -1 leaves one as it is. */
    void chown(int newUid, int newGid) {
        uid = newUid == -1 ? uid : newUid;
        gid = newGid == -1 ? gid : newGid;
    }

    /** Fails where no byte of the disk can be read, as of a damaged snapshot: better told on open than on each read. */
    void requireReadable() throws IOException {
        disk.read(0, 0, 0);
    }

    void requireWritable() throws IOException {
        if (!disk.writable()) {
            throw new ErrnoException(Errno.EROFS, name + " is read-only");
        }
    }

    int read(long offset, long address, int length) throws IOException {
        int inside = clip(offset, length);
        if (inside > 0) {
            disk.read(offset, address, inside);
        }
        return inside;
    }

    /** Writes up to the border; a write that starts at the border or behind it finds no space, as on a block device. */
    int write(long offset, long address, int length) throws IOException {
        int inside = clip(offset, length);
        if (inside == 0 && length > 0) {
            throw new ErrnoException(Errno.ENOSPC, "write at the end of " + name);
        }
        disk.write(offset, address, inside);
        touched();
        return inside;
    }

    void touched() {
        modifiedMillis = System.currentTimeMillis();
    }

    /**
     * Sets the size. No disk becomes empty: that would be what a shell's {@code >}, or dd without
     * {@code conv=notrunc}, does to it on open, and the guest's bytes would be gone.
     */
    void resize(long newSize) throws IOException {
        requireWritable();
        if (newSize == disk.size()) {
            return;
        }
        if (newSize == 0) {
            throw new ErrnoException(Errno.EPERM, "a disk is not truncated to nothing");
        }
        if ((newSize & 511) != 0) {
            throw new ErrnoException(Errno.EINVAL, "size " + newSize + " is not a multiple of 512");
        }
        disk.resize(newSize);
        touched();
    }

    private int clip(long offset, int length) {
        return (int) Math.max(0, Math.min(length, disk.size() - offset));
    }
}
