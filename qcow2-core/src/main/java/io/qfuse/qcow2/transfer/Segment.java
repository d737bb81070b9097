package io.qfuse.qcow2.transfer;

/**
 * A part of a piece whose bytes were read.
 *
 * @param start its first byte, from the beginning of the piece
 * @param length its bytes, at least 1
 * @param zero whether all of them are zero
 */
record Segment(int start, int length, boolean zero) {

    int end() {
        return start + length;
    }
}
