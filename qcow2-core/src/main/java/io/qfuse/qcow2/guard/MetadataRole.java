package io.qfuse.qcow2.guard;

/** What a host cluster of metadata is (format notes, section 23). */
public enum MetadataRole {
    /** The header's cluster. */
    HEADER(1, "header"),
    /** A part of the active L1 table. */
    L1(1 << 1, "active L1 table"),
    /** An L2 table that the active L1 table names, or named when the image was opened. */
    L2(1 << 2, "L2 table"),
    /** A part of the refcount table. */
    REFCOUNT_TABLE(1 << 3, "refcount table"),
    /** A refcount block. */
    REFCOUNT_BLOCK(1 << 4, "refcount block"),
    /** A part of the bitmap directory. */
    BITMAP_DIRECTORY(1 << 5, "bitmap directory"),
    /** A part of the snapshot table. */
    SNAPSHOT_TABLE(1 << 6, "snapshot table"),
    /** A part of a snapshot's L1 table. */
    INACTIVE_L1(1 << 7, "L1 table of a snapshot"),
    /** A part of the LUKS header and its key material. */
    CRYPTO_HEADER(1 << 8, "crypto header");

    private final int bit;
    private final String title;

    MetadataRole(int bit, String title) {
        this.bit = bit;
        this.title = title;
    }

    /** What it is called in a sentence. */
    String title() {
        return title;
    }

    /** Its bit in a set of roles. */
    int bit() {
        return bit;
    }
}
