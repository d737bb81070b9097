package io.qfuse.fuse;

import io.qfuse.qcow2.Disk;
import io.qfuse.qcow2.DiskStatistics;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Disks as files, whatever carries the requests: a root directory with one file for each disk, and a directory for the
 * snapshots of each that shows them; or, mounted over a regular file, the one disk as the root itself.
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

    /** All nodes; the one with the number n stands at n - {@link #ROOT}. */
    private final List<Node> nodes = new ArrayList<>();

    private final List<Image> images = new ArrayList<>();
    private final Permissions permissions;
    private final DiskPermissions ofDisks;
    private final long startedMillis = System.currentTimeMillis();
    private final long startedNanos = System.nanoTime();
    private final List<RequestTally> tallies = new CopyOnWriteArrayList<>();

    /**
     * The present state of an image.
     *
     * @param node the file
     * @param host the file system that the image lies on
     */
    private record Image(ImageNode node, HostSpace host) {}

    /** Whom a disk belongs to, and who may use it. */
    @FunctionalInterface
    interface DiskPermissions {
        Permissions of(Disk disk);
    }

    private ImageFileSystem(Permissions permissions, DiskPermissions ofDisks) {
        this.permissions = permissions;
        this.ofDisks = ofDisks;
    }

    /** A directory of disks that all have the same permissions. */
    public static ImageFileSystem directory(List<ServedImage> images, Permissions permissions) {
        return directory(images, permissions, disk -> permissions);
    }

    /** A directory of disks. */
    static ImageFileSystem directory(List<ServedImage> images, Permissions permissions, DiskPermissions ofDisks) {
        var files = new ImageFileSystem(permissions, ofDisks);
        DirectoryNode root = files.addDirectory(ROOT);
        // Images first: their numbers do not depend on who shows snapshots.
        for (ServedImage image : images) {
            root.add(image.name(), files.addImage(image));
        }
        for (ServedImage image : images) {
            if (image.snapshots().isPresent()) {
                DirectoryNode directory = files.addDirectory(root.number());
                root.add(image.snapshotsName(images.size() == 1), directory);
                for (ServedSnapshot snapshot : image.snapshots().get()) {
                    directory.add(snapshot.name(), files.addSnapshot(snapshot));
                }
            }
        }
        return files;
    }

    /** One disk as the root. */
    public static ImageFileSystem file(ServedImage image, Permissions permissions) {
        return file(image, permissions, disk -> permissions);
    }

    static ImageFileSystem file(ServedImage image, Permissions permissions, DiskPermissions ofDisks) {
        var files = new ImageFileSystem(permissions, ofDisks);
        files.addImage(image);
        return files;
    }

    private DirectoryNode addDirectory(long parent) {
        return add(new DirectoryNode(nextNumber(), parent, permissions, startedMillis));
    }

    private ImageNode addImage(ServedImage image) {
        Permissions own = ofDisks.of(image.disk());
        var node = add(new ImageNode(nextNumber(), image.name(), image.disk(), own, startedMillis));
        images.add(new Image(node, HostSpace.of(image.image())));
        return node;
    }

    private ImageNode addSnapshot(ServedSnapshot snapshot) {
        Permissions own = ofDisks.of(snapshot.disk());
        return add(new ImageNode(nextNumber(), snapshot.name(), snapshot.disk(), own, snapshot.modifiedMillis()));
    }

    private <N extends Node> N add(N node) {
        nodes.add(node);
        return node;
    }

    private long nextNumber() {
        return ROOT + nodes.size();
    }

    /** Whether the one disk is the root. */
    public boolean isOverFile() {
        return !(nodes.get(0) instanceof DirectoryNode);
    }

    /** The raw file of each image's present state, as a path from the root; empty for the root itself. */
    List<String> rawFiles() throws IOException {
        if (isOverFile()) {
            return List.of("");
        }
        return names(ROOT).subList(0, images.size());
    }

    /** The node called {@code name} in the directory {@code parent}. */
    public long lookup(long parent, String name) throws IOException {
        return directory(parent).find(name).number();
    }

    /** The names in the directory, in the order that they were given. */
    public List<String> names(long directory) throws IOException {
        return Collections.unmodifiableList(directory(directory).names());
    }

    /** The directory that holds a directory; the root holds itself. */
    public long parent(long directory) throws IOException {
        return directory(directory).parent();
    }

    /** Whether a node is a directory. */
    public boolean isDirectory(long node) throws IOException {
        return node(node) instanceof DirectoryNode;
    }

    /** The attributes as of now; the space taken is what the host says. */
    public NodeAttributes attributes(long node) throws IOException {
        return node(node).attributes();
    }

    /** Changes a disk's size; see {@link Disk#resize}. */
    public void resize(long node, long size) throws IOException {
        image(node).resize(size);
    }

    /** Changes a disk's permission bits for the life of the mount; a directory's stay. */
    public void chmod(long node, int mode) throws IOException {
        image(node).chmod(mode);
    }

    /** Changes a disk's owner and group for the life of the mount, -1 leaving one as it is. */
    public void chown(long node, int uid, int gid) throws IOException {
        image(node).chown(uid, gid);
    }

    /** Checks whether a disk can be opened with the flags of open(2). */
    public void open(long node, int flags) throws IOException {
        ImageNode image = image(node);
        if ((flags & ACCESS_MODE) != 0) {
            image.requireWritable();
        }
        image.requireReadable();
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

    /** Returns when everything written to the disk, or for a directory to any disk, is durable. */
    public void sync(long node) throws IOException {
        if (!isDirectory(node)) {
            image(node).disk().flush();
            return;
        }
        for (Image image : images) {
            image.node().disk().flush();
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

    /** The room in all disks together, snapshots left out, and what their hosts leave of it. */
    public Statistics statistics() {
        long capacity = 0;
        long free = 0;
        for (Image image : images) {
            long size = image.node().disk().size();
            capacity += size;
            free += Math.max(
                    0, Math.min(image.host().available(), size - image.node().allocated()));
        }
        return new Statistics(capacity, free, nodes.size());
    }

    /** A tally for one more thread that serves. */
    public RequestTally newTally() {
        var tally = new RequestTally();
        tallies.add(tally);
        return tally;
    }

    /** What has been done since the mount, by all threads and for all disks. */
    public MountReport report() {
        DiskStatistics disks = DiskStatistics.NONE;
        for (Image image : images) {
            disks = disks.plus(image.node().disk().statistics());
        }
        return MountReport.of(System.nanoTime() - startedNanos, tallies, disks);
    }

    private Node node(long number) throws IOException {
        long index = number - ROOT;
        if (index < 0 || index >= nodes.size()) {
            throw new ErrnoException(Errno.ENOENT, "node " + number);
        }
        return nodes.get((int) index);
    }

    private DirectoryNode directory(long number) throws IOException {
        if (node(number) instanceof DirectoryNode directory) {
            return directory;
        }
        throw new ErrnoException(Errno.ENOTDIR, "node " + number);
    }

    private ImageNode image(long number) throws IOException {
        if (node(number) instanceof ImageNode image) {
            return image;
        }
        throw new ErrnoException(Errno.EISDIR, "node " + number);
    }

    /** Lets go of the host's file systems; the disks stay open. No other method may be called any more. */
    @Override
    public void close() {
        images.forEach(image -> image.host().close());
    }
}
