package io.qfuse.qcow2;

/**
 * A run of guest bytes of one kind.
 *
 * @param kind what a reader finds there
 * @param offset the guest offset of its first byte
 * @param length its bytes, at least 1
 */
public record Extent(Kind kind, long offset, long length) {

    /** What a reader of a run finds. */
    public enum Kind {
        /** Bytes stored somewhere in the chain, compressed or not. */
        DATA,
        /** Zeroes that some layer says explicitly. */
        ZERO,
        /** Nothing stored in any layer: zeroes. */
        HOLE
    }

    /** The guest offset of the first byte behind the run. */
    public long end() {
        return offset + length;
    }

    /** Whether a sparse copy may skip the run. */
    public boolean isHole() {
        return kind != Kind.DATA;
    }
}
