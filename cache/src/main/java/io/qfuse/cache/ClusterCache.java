package io.qfuse.cache;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.io.IOException;

/**
 * A bounded cache of clusters that are costly to make, such as decompressed ones, shared by any number of files. Two
 * threads that miss the same cluster at once may both make it. Thread-safe.
 */
public final class ClusterCache {

    /** Makes the cluster of a key. */
    @FunctionalInterface
    public interface Loader {

        /** The cluster's bytes, which nobody changes afterwards. */
        byte[] load(long key) throws IOException;
    }

    /** A cluster of one of the files, told apart by identity: owners do not define equality. */
    private record Key(Object owner, long cluster) {}

    private final Cache<Key, byte[]> clusters;

    /** A cache of at most {@code bytes} bytes of clusters. */
    public ClusterCache(long bytes) {
        this.clusters = Caffeine.newBuilder()
                .maximumWeight(bytes)
                .weigher((Key key, byte[] cluster) -> cluster.length)
                .executor(Runnable::run)
                .build();
    }

    /**
     * A cluster; callers do not modify it.
     *
     * @param owner whose cluster it is
     * @param cluster its key among those of the owner
     */
    public byte[] get(Object owner, long cluster, Loader loader) throws IOException {
        Key key = new Key(owner, cluster);
        byte[] bytes = clusters.getIfPresent(key);
        if (bytes == null) {
            bytes = loader.load(cluster);
            clusters.put(key, bytes);
        }
        return bytes;
    }
}
