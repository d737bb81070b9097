package io.qfuse.fuse;

/**
 * What statfs(2) says, in bytes.
 *
 * @param capacity the sum of the disks' sizes
 * @param free what can still be filled before the disks or their host are full
 * @param files the number of nodes
 */
public record Statistics(long capacity, long free, int files) {

    /** The unit that the numbers are told in. */
    public static final int BLOCK = 4096;
}
