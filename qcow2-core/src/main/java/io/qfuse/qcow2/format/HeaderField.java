package io.qfuse.qcow2.format;

/** Where the fields lie that change while an image is in use, in bytes from the file's start (section 1). */
public final class HeaderField {

    /** u64: the virtual size. */
    public static final int SIZE = 24;
    /** u32 entries and u64 offset of the active L1 table, switched by one write. */
    public static final int L1 = 36;
    /** u64 offset and u32 clusters of the refcount table, switched by one write. */
    public static final int REFCOUNT_TABLE = 48;
    /** u64: incompatible feature bits. */
    public static final int INCOMPATIBLE = 72;
    /** u64: autoclear feature bits. */
    public static final int AUTOCLEAR = 88;

    private HeaderField() {}
}
