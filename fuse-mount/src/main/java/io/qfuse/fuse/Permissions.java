package io.qfuse.fuse;

/**
 * Who owns the files of a mount, and their permission bits.
 *
 * @param uid the owner
 * @param gid the group
 * @param file the permission bits of a disk that can be written
 * @param directory the permission bits of the root directory
 */
public record Permissions(int uid, int gid, int file, int directory) {}
