package io.qfuse.fuse;

/**
 * What stat(2) says of a file or of the root directory.
 *
 * @param node the node's number, which is its inode number too
 * @param mode type and permission bits
 * @param links the number of names
 * @param uid the owner
 * @param gid the group
 * @param size bytes
 * @param allocated bytes taken on the host
 * @param modifiedMillis the last change, in milliseconds since 1970
 */
public record NodeAttributes(
        long node, int mode, int links, int uid, int gid, long size, long allocated, long modifiedMillis) {

    /** The type bits of a directory. */
    public static final int DIRECTORY = 0040000;

    /** The type bits of a regular file. */
    public static final int REGULAR = 0100000;

    /** Units of 512 bytes that the node takes on the host. */
    public long blocks() {
        return (allocated + 511) >> 9;
    }

    /** Whether the node is a directory. */
    public boolean isDirectory() {
        return (mode & DIRECTORY) != 0 && (mode & REGULAR) == 0;
    }
}
