package io.qfuse.qcow2.alloc;

import java.util.ArrayList;
import java.util.List;

/**
 * References to clusters that memory has given up and the disk may still hold. Their counts are lowered only after a
 * checkpoint has made the unlinking durable: until then such a cluster is neither reused nor punched.
 *
 * <p>Not thread-safe; the allocator's lock guards it.
 */
public final class PendingFrees {

    /**
     * One reference to each of some adjacent clusters.
     *
     * @param offset the host offset of the first
     * @param clusters how many
     * @param punch whether their host space shall be given back once nobody refers to them
     */
    public record Free(long offset, long clusters, boolean punch) {}

    private final int clusterBits;
    private List<Free> frees = new ArrayList<>();

    PendingFrees(int clusterBits) {
        this.clusterBits = clusterBits;
    }

    void add(long offset, long clusters, boolean punch) {
        if (clusters == 0) {
            return;
        }
        int last = frees.size() - 1;
        if (last >= 0) {
            Free before = frees.get(last);
            if (before.punch == punch && before.offset + (before.clusters << clusterBits) == offset) {
                frees.set(last, new Free(before.offset, before.clusters + clusters, punch));
                return;
            }
        }
        frees.add(new Free(offset, clusters, punch));
    }

    /** Takes what has gathered; what is freed from now on belongs to the next checkpoint. */
    List<Free> cut() {
        List<Free> taken = frees;
        frees = new ArrayList<>();
        return taken;
    }

    /** Puts back what a failed checkpoint had taken. */
    void restore(List<Free> taken) {
        frees.addAll(taken);
    }

    int size() {
        return frees.size();
    }
}
