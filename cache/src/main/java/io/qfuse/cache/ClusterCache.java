package io.qfuse.cache;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.io.IOException;

/**
 * A bounded cache of clusters that are costly to make, such as decompressed ones. Two threads that miss the same cluster
 * at once may both make it. Thread-safe.
 */
public final class ClusterCache {

    /** Makes the cluster of a key. */
    @FunctionalInterface
    public interface Loader {

        /** The cluster's bytes, which nobody changes afterwards. */
        byte[] load(long key) throws IOException;
    }

    private final Cache<Long, byte[]> clusters;

    /** A cache of at most {@code bytes} bytes of clusters. */
    public ClusterCache(long bytes) {
        this.clusters = Caffeine.newBuilder()
                .maximumWeight(bytes)
                .weigher((Long key, byte[] cluster) -> cluster.length)
                .executor(Runnable::run)
                .build();
    }

    /** The cluster of a key; callers do not modify it. */
    public byte[] get(long key, Loader loader) throws IOException {
        byte[] cluster = clusters.getIfPresent(key);
        if (cluster == null) {
            cluster = loader.load(key);
            clusters.put(key, cluster);
        }
        return cluster;
    }
}
