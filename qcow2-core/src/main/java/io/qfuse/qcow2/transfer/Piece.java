package io.qfuse.qcow2.transfer;

/**
 * A range of the disk that one worker deals with.
 *
 * @param number its place in the order of the disk, from 0 on without gaps
 * @param offset its first byte, at a border of the target's units
 * @param length its bytes; up to such a border or the end of the disk
 * @param zero whether it is known to be zeroes, and may then be of any length; else it is at most as long as a worker's memory
 */
record Piece(long number, long offset, long length, boolean zero) {

    long end() {
        return offset + length;
    }
}
