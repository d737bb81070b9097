package io.qfuse.qcow2.store;

import io.qfuse.qcow2.alloc.ClusterAllocator;
import io.qfuse.qcow2.alloc.HostRun;
import java.io.IOException;

/** Clusters of the image's own file, counted among all others there. */
public final class OwnClusters implements DataClusters {

    private final ClusterAllocator allocator;
    private final boolean unmaps;

    /**
     * The clusters that an allocator gives out.
     *
     * @param unmaps whether host space may be given back
     */
    public OwnClusters(ClusterAllocator allocator, boolean unmaps) {
        this.allocator = allocator;
        this.unmaps = unmaps;
    }

    @Override
    public boolean unmaps() {
        return unmaps;
    }

    @Override
    public HostRun allocate(long guest, int most) throws IOException {
        return allocator.allocate(most);
    }

    @Override
    public void abandon(HostRun run) throws IOException {
        allocator.abandon(run);
    }

    @Override
    public void requireFreeable(long host, long clusters) throws IOException {
        allocator.requireDataFreed(host, clusters);
    }

    @Override
    public void free(long host, long clusters, boolean punch) {
        allocator.free(host, clusters, punch);
    }

    @Override
    public void zero(long guest, long length, boolean unmap) {}

    @Override
    public void resize(long from, long to) {}

    @Override
    public long allocatedBytes() {
        return 0;
    }
}
