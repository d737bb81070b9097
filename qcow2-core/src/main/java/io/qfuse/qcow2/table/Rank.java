package io.qfuse.qcow2.table;

import io.qfuse.qcow2.guard.MetadataRole;

/** The kinds of metadata in the order in which a checkpoint makes them durable. */
public enum Rank {
    /** Refcount blocks. */
    REFCOUNT_BLOCK(0, MetadataRole.REFCOUNT_BLOCK),
    /** The refcount table. */
    REFCOUNT_TABLE(1, MetadataRole.REFCOUNT_TABLE),
    /** L2 tables. */
    L2(2, MetadataRole.L2),
    /** The active L1 table. */
    L1(3, MetadataRole.L1);

    private final int number;
    private final MetadataRole role;

    Rank(int number, MetadataRole role) {
        this.number = number;
        this.role = role;
    }

    /** What its clusters are. */
    public MetadataRole role() {
        return role;
    }

    /** What the slice cache calls it. */
    public int number() {
        return number;
    }
}
