package io.qfuse.qcow2.table;

/** The kinds of metadata in the order in which a checkpoint makes them durable. */
public enum Rank {
    /** Refcount blocks. */
    REFCOUNT_BLOCK(0),
    /** The refcount table. */
    REFCOUNT_TABLE(1),
    /** L2 tables. */
    L2(2),
    /** The active L1 table. */
    L1(3);

    private final int number;

    Rank(int number) {
        this.number = number;
    }

    /** What the slice cache calls it. */
    int number() {
        return number;
    }
}
