package io.qfuse.qcow2.format;

/** An entry of the refcount table (format notes, section 7): bits 63..9 the offset of a block, 8..0 reserved. */
public final class RefcountTableEntry {

    /** Bits that must be clear. */
    public static final long RESERVED = 0x1ff;

    private RefcountTableEntry() {}

    /** Where the refcount block is; 0 for none, which means that all its counts are 0. */
    public static long blockOffset(long entry) {
        return entry & ~RESERVED;
    }
}
