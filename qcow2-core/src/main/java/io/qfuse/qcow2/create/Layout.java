package io.qfuse.qcow2.create;

import io.qfuse.qcow2.format.Geometry;

/**
 * Which clusters of a new image hold what: header, refcount table, refcount blocks, L1 table, then, where data are
 * preallocated, L2 tables and data. Nothing lies between them.
 *
 * @param geometry the sizes
 * @param tableClusters clusters of the refcount table
 * @param blocks refcount blocks, one cluster each
 * @param l1Size entries of the L1 table
 * @param l2Tables preallocated L2 tables, one cluster each
 * @param dataClusters preallocated data clusters
 * @param external whether those are in another file, each at its guest offset
 */
record Layout(
        Geometry geometry,
        long tableClusters,
        long blocks,
        int l1Size,
        long l2Tables,
        long dataClusters,
        boolean external) {

    private static final int ENTRY = 8;

    static Layout of(Geometry geometry, long size, boolean preallocated, boolean external) {
        int l1Size = geometry.l1SizeFor(size);
        long l2Tables = preallocated ? l1Size : 0;
        long dataClusters = preallocated ? geometry.clustersFor(size) : 0;
        Layout layout = new Layout(geometry, 1, 1, l1Size, l2Tables, dataClusters, external);
        // The refcounts count themselves: grow them until they cover all. Each round can only add, so this ends.
        while (true) {
            long blocks = divideUp(layout.clusters(), geometry.refcountsPerBlock());
            long tableClusters = geometry.clustersFor(blocks * ENTRY);
            Layout next = new Layout(geometry, tableClusters, blocks, l1Size, l2Tables, dataClusters, external);
            if (next.equals(layout)) {
                return layout;
            }
            layout = next;
        }
    }

    long tableOffset() {
        return geometry.clusterOffset(1);
    }

    long blocksOffset() {
        return geometry.clusterOffset(1 + tableClusters);
    }

    long l1Offset() {
        return geometry.clusterOffset(1 + tableClusters + blocks);
    }

    long l2Offset() {
        return geometry.clusterOffset(1 + tableClusters + blocks + l1Clusters());
    }

    long dataOffset() {
        return external ? 0 : l2Offset() + geometry.clusterOffset(l2Tables);
    }

    /** All clusters of the file. */
    long clusters() {
        return 1 + tableClusters + blocks + l1Clusters() + l2Tables + (external ? 0 : dataClusters);
    }

    private long l1Clusters() {
        return geometry.clustersFor((long) l1Size * ENTRY);
    }

    private static long divideUp(long value, long by) {
        return (value + by - 1) / by;
    }
}
