package io.qfuse.qcow2.check;

/**
 * What qemu-img counts of the clusters that the active tables name, by the same rules: compressed clusters count as
 * fragmented, and of the others those that do not lie behind the one before them in the same L2 table. For one thread at
 * a time.
 */
final class ClusterCounts {

    private long allocated;
    private long fragmented;
    private long compressed;
    private long expected; // where the next cluster would lie unfragmented; 0 where there was none

    /** A new L2 table begins. */
    void startTable() {
        expected = 0;
    }

    void compressed(long times) {
        allocated += times;
        fragmented += times;
        compressed += times;
    }

    void standard(long offset, int clusterSize, long times) {
        allocated += times;
        if (expected != 0 && offset != expected) {
            fragmented += times;
        }
        expected = offset + clusterSize;
    }

    long allocated() {
        return allocated;
    }

    long fragmented() {
        return fragmented;
    }

    long compressed() {
        return compressed;
    }
}
