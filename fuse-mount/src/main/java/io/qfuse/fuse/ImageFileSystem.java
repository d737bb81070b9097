package io.qfuse.fuse;

import io.qfuse.qcow2.Disk;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Disks as files, whatever carries the requests: a root directory with one file for each disk or, mounted over a
 * regular file, the one disk as the root itself.
 *
 * <p>Operations name a node by its number: {@link #ROOT}, or what {@link #lookup} gave. There is no table of open files:
 * nothing about an open file differs from its node. What cannot be done is thrown; {@link Errno} has the number. Memory is
 * given by its native address and must live for the call. All methods may be called by any number of threads at once;
 * {@link #read} and {@link #write} allocate nothing.
 */
public final class ImageFileSystem implements AutoCloseable {

    /** The number of the root. */
    public static final long ROOT = 1;

    private static final int ACCESS_MODE = 3;
    private static final int MAY_WRITE = 2;
    private static final int MAY_EXECUTE = 1;

    private final List<ImageNode> images = new ArrayList<>();
    private final Map<String, Integer> names = new LinkedHashMap<>();
    private final Permissions permissions;
    private final boolean overFile;
    private final long startedMillis = System.currentTimeMillis();

    private ImageFileSystem(List<ServedImage> served, Permissions permissions, boolean overFile) {
        this.permissions = permissions;
        this.overFile = overFile;
        for (ServedImage image : served) {
            if (names.putIfAbsent(image.name(), images.size()) != null) {
                throw new IllegalArgumentException("two images would both be '" + image.name() + "'");
            }
            images.add(new ImageNode(firstImage() + images.size(), image, permissions));
        }
    }

    /** A directory of disks. */
    public static ImageFileSystem directory(List<ServedImage> images, Permissions permissions) {
        return new ImageFileSystem(images, permissions, false);
    }

    /** One disk as the root. */
    public static ImageFileSystem file(ServedImage image, Permissions permissions) {
        return new ImageFileSystem(List.of(image), permissions, true);
    }

    /** Whether the one disk is the root. */
    public boolean isOverFile() {
        return overFile;
    }

    /** The node called {@code name} in the directory {@code parent}. */
    public long lookup(long parent, String name) throws IOException {
        requireDirectory(parent);
        Integer index = names.get(name);
        if (index == null) {
            throw new ErrnoException(Errno.ENOENT, name);
        }
        return firstImage() + index;
    }

    /** The names in the directory, in the order that they were given. */
    public List<String> names(long directory) throws IOException {
        requireDirectory(directory);
        return List.copyOf(names.keySet());
    }

    /** The attributes as of now; the space taken is what the host says. */
    public NodeAttributes attributes(long node) throws IOException {
        if (isDirectory(node)) {
            int mode = NodeAttributes.DIRECTORY | permissions.directory();
            return new NodeAttributes(node, mode, 2, permissions.uid(), permissions.gid(), 0, 0, startedMillis);
        }
        return image(node).attributes();
    }

    /** Changes a disk's size; see {@link Disk#resize}. */
    public void resize(long node, long size) throws IOException {
        image(node).resize(size);
    }

    /** Changes a disk's permission bits for the life of the mount; the root directory's stay. */
    public void chmod(long node, int mode) throws IOException {
        image(node).chmod(mode);
    }

    /** Changes a disk's owner and group for the life of the mount, -1 leaving one as it is. */
    public void chown(long node, int uid, int gid) throws IOException {
        image(node).chown(uid, gid);
    }

    /** Checks whether a disk may be opened with the flags of open(2). */
    public void open(long node, int flags) throws IOException {
        ImageNode image = image(node);
        if ((flags & ACCESS_MODE) != 0) {
            image.requireWritable();
        }
    }

    /**
     * Checks an access(2) mask as far as the disk itself sets limits; the permission bits are the kernel's business
     * ({@code default_permissions}).
     */
    public void access(long node, int mask) throws IOException {
        if (isDirectory(node)) {
            if ((mask & MAY_WRITE) != 0) {
                throw new ErrnoException(Errno.EACCES, "no names can be made here");
            }
            return;
        }
        if ((mask & MAY_WRITE) != 0) {
            image(node).requireWritable();
        }
        if ((mask & MAY_EXECUTE) != 0) {
            throw new ErrnoException(Errno.EACCES, "a disk is no program");
        }
    }

    /** Reads; fewer bytes than asked for only at the disk's end, none behind it. */
    public int read(long node, long offset, long address, int length) throws IOException {
        return image(node).read(offset, address, length);
    }

    /** Writes; fewer bytes than asked for only at the disk's end, ENOSPC from there on. */
    public int write(long node, long offset, long address, int length) throws IOException {
        return image(node).write(offset, address, length);
    }

    /** Returns when everything written to the disk, or for the directory to any disk, is durable. */
    public void sync(long node) throws IOException {
        if (!isDirectory(node)) {
            image(node).disk().flush();
            return;
        }
        for (ImageNode image : images) {
            image.disk().flush();
        }
    }

    /**
     * fallocate(2). Mode 0 and KEEP_SIZE reserve space, PUNCH_HOLE | KEEP_SIZE zeroes and gives space back, ZERO_RANGE
     * zeroes; anything else is EOPNOTSUPP, before any work. Ranges may have any alignment. What lies behind the end is left
     * out with KEEP_SIZE and makes the disk grow without it; a new size that is no multiple of 512 is EINVAL.
     */
    public void allocate(long node, int mode, long offset, long length) throws IOException {
        RangeChange.apply(image(node), mode, offset, length);
    }

    /** lseek(2) with SEEK_DATA (3) or SEEK_HOLE (4); ENXIO at the end and behind it. */
    public long seek(long node, long offset, int whence) throws IOException {
        return SeekExtent.seek(image(node).disk(), offset, whence);
    }

    /** The room in all disks together, and what their hosts leave of it. */
    public Statistics statistics() {
        long capacity = 0;
        long free = 0;
        for (ImageNode image : images) {
            long size = image.disk().size();
            capacity += size;
            free += Math.max(0, Math.min(image.host().available(), size - image.allocated()));
        }
        return new Statistics(capacity, free, images.size() + (overFile ? 0 : 1));
    }

    private long firstImage() {
        return overFile ? ROOT : ROOT + 1;
    }

    private boolean isDirectory(long node) {
        return node == ROOT && !overFile;
    }

    private void requireDirectory(long node) throws IOException {
        if (!isDirectory(node)) {
            throw new ErrnoException(Errno.ENOTDIR, "node " + node);
        }
    }

    private ImageNode image(long node) throws IOException {
        long index = node - firstImage();
        if (index >= 0 && index < images.size()) {
            return images.get((int) index);
        }
        throw isDirectory(node)
                ? new ErrnoException(Errno.EISDIR, "the root")
                : new ErrnoException(Errno.ENOENT, "node " + node);
    }

    /** Lets go of the host's file systems; the disks stay open. No other method may be called any more. */
    @Override
    public void close() {
        images.forEach(image -> image.host().close());
    }
}
