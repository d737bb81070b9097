package io.qfuse.cache;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.io.IOException;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A bounded cache of clusters that are costly to make, such as decompressed ones, shared by any number of files.
 * Thread-safe.
 */
public final class ClusterCache {

    private static final int STRIPES = 256;

    /** Makes the cluster of a key. */
    @FunctionalInterface
    public interface Loader {

        /** The cluster's bytes, which nobody changes afterwards. */
        byte[] load(long key) throws IOException;
    }

    /** A cluster of one of the files, told apart by identity: owners do not define equality. */
    private record Key(Object owner, long cluster) {}

    private final Cache<Key, byte[]> clusters;
    private final LookupCounts lookups = new LookupCounts();

    /** Held while a cluster is made, so that two readers who miss it make it once; innermost, whatever a loader does. */
    private final Object[] loading = Stream.generate(Object::new).limit(STRIPES).toArray();

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
        if (bytes != null) {
            lookups.hit();
            return bytes;
        }
        synchronized (loading[Math.floorMod(key.hashCode(), STRIPES)]) {
            bytes = clusters.getIfPresent(key);
            if (bytes != null) {
                lookups.hit();
            } else {
                lookups.miss();
                bytes = loader.load(cluster);
                clusters.put(key, bytes);
            }
            return bytes;
        }
    }

    /** A cluster that is there already, or null. */
    public byte @Nullable [] peek(Object owner, long cluster) {
        byte[] bytes = clusters.getIfPresent(new Key(owner, cluster));
        if (bytes != null) {
            lookups.hit();
        } else {
            lookups.miss();
        }
        return bytes;
    }

    /** How the lookups have gone, of all owners together. */
    public LookupCounts lookups() {
        return lookups;
    }

    /** Forgets a cluster: its key may mean other bytes from now on. Nobody may be loading it. */
    public void drop(Object owner, long cluster) {
        clusters.invalidate(new Key(owner, cluster));
    }
}
