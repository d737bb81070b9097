package io.qfuse.qcow2.format;

/**
 * The sizes and index arithmetic of one image; all shifts and masks of the format live here and in the entry classes.
 *
 * @param clusterBits log2 of the cluster size
 * @param refcountOrder log2 of the refcount width in bits
 * @param extendedL2 whether L2 entries have 16 bytes and clusters 32 subclusters
 */
public record Geometry(int clusterBits, int refcountOrder, boolean extendedL2) {

    /** Bytes of a sector, the unit of compressed streams and virtual sizes. */
    public static final int SECTOR = 512;

    private static final int SLICE_BITS = 12;

    /** The sizes of an image without subclusters. */
    public Geometry(int clusterBits, int refcountOrder) {
        this(clusterBits, refcountOrder, false);
    }

    /** Bytes of a cluster. */
    public int clusterSize() {
        return 1 << clusterBits;
    }

    /** Bytes of an L2 entry. */
    public int l2EntrySize() {
        return 1 << entryBits();
    }

    /** Subclusters of a cluster, 1 where the format has none. */
    public int subclusters() {
        return extendedL2 ? Subclusters.COUNT : 1;
    }

    /** Bytes of a subcluster: the unit of what can be allocated or zero. */
    public int subclusterSize() {
        return clusterSize() / subclusters();
    }

    /** Where the subcluster that holds an offset begins. */
    public long subclusterStart(long offset) {
        return offset & -(long) subclusterSize();
    }

    /** The first subcluster border at or behind an offset. */
    public long subclusterCeiling(long offset) {
        return subclusterStart(offset + subclusterSize() - 1);
    }

    /** Entries of one L2 table. */
    public int l2Entries() {
        return 1 << (clusterBits - entryBits());
    }

    /** Guest bytes that one L2 table maps. */
    public long l2Reach() {
        return 1L << (2 * clusterBits - entryBits());
    }

    /** Bytes of a slice: what is cached of an L2 table or refcount block at once. */
    public int sliceSize() {
        return 1 << Math.min(SLICE_BITS, clusterBits);
    }

    /** Which L1 entry maps a guest offset. */
    public int l1Index(long guest) {
        return Math.toIntExact(guest >>> (2 * clusterBits - entryBits()));
    }

    /** Which entry of its L2 table maps a guest offset. */
    public int l2Index(long guest) {
        return (int) (guest >>> clusterBits) & (l2Entries() - 1);
    }

    /** Which cluster holds an offset, of the guest or of the host. */
    public long clusterIndex(long offset) {
        return offset >>> clusterBits;
    }

    /** Where a cluster begins. */
    public long clusterOffset(long index) {
        return index << clusterBits;
    }

    /** Where the cluster that holds an offset begins. */
    public long clusterStart(long offset) {
        return offset & -(1L << clusterBits);
    }

    /** The first cluster border at or behind an offset. */
    public long clusterCeiling(long offset) {
        return clusterStart(offset + clusterSize() - 1);
    }

    /** The distance from its cluster's start. */
    public int offsetInCluster(long offset) {
        return (int) offset & (clusterSize() - 1);
    }

    /** Clusters that hold this many bytes. */
    public long clustersFor(long bytes) {
        return clusterIndex(clusterCeiling(bytes));
    }

    /** Entries that an active L1 table needs for this virtual size. */
    public int l1SizeFor(long virtualSize) {
        return Math.toIntExact((virtualSize + l2Reach() - 1) >>> (2 * clusterBits - entryBits()));
    }

    /** Refcounts of one refcount block. */
    public int refcountsPerBlock() {
        return 1 << refcountsPerBlockBits();
    }

    /** Which refcount table entry a host cluster belongs to. */
    public long refcountTableIndex(long cluster) {
        return cluster >>> refcountsPerBlockBits();
    }

    /** Which refcount of its block a host cluster has. */
    public int refcountBlockIndex(long cluster) {
        return (int) cluster & (refcountsPerBlock() - 1);
    }

    /** Refcounts of one slice of a refcount block. */
    public int refcountsPerSlice() {
        return (sliceSize() * 8) >>> refcountOrder;
    }

    private int refcountsPerBlockBits() {
        return clusterBits + 3 - refcountOrder;
    }

    private int entryBits() {
        return extendedL2 ? 4 : 3;
    }
}
