package io.qfuse.qcow2.format;

/** What is the most of everything (format notes, section 13); an image beyond is refused before memory is taken. */
public final class Limits {

    /** The smallest cluster is 512 bytes. */
    public static final int MIN_CLUSTER_BITS = 9;
    /** The largest cluster is 2 MiB. */
    public static final int MAX_CLUSTER_BITS = 21;
    /** Entries of an L1 table: 32 MiB. */
    public static final int MAX_L1_SIZE = (32 << 20) / 8;
    /** Bytes of a refcount table. */
    public static final int MAX_REFCOUNT_TABLE_BYTES = 8 << 20;
    /** Internal snapshots. */
    public static final int MAX_SNAPSHOTS = 65536;
    /** Bytes of the snapshot table. */
    public static final int MAX_SNAPSHOT_TABLE_BYTES = 64 << 20;
    /** Bytes of extra data of one snapshot. */
    public static final int MAX_SNAPSHOT_EXTRA = 1024;
    /** Bytes of the backing file's name. */
    public static final int MAX_BACKING_NAME = 1023;
    /** Bytes of the backing format's name. */
    public static final int MAX_BACKING_FORMAT = 15;
    /** Persistent bitmaps. */
    public static final int MAX_BITMAPS = 65535;
    /** Bytes of the bitmap directory. */
    public static final long MAX_BITMAP_DIRECTORY_BYTES = 65535L * 1024;
    /** Host offsets end below this. */
    public static final long MAX_HOST_OFFSET = 1L << 56;
    /** Subclusters need at least this cluster size: 16 KiB. */
    public static final int MIN_EXTENDED_L2_CLUSTER_BITS = 14;

    private Limits() {}
}
