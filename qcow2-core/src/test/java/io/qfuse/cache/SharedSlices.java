package io.qfuse.cache;

import java.util.AbstractMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentMap;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/**
 * What the caches of a budget share, under one monitor: it keeps all and evicts what it is told to. For tests that explore
 * schedules, to which Caffeine would be most of what there is.
 */
public final class SharedSlices extends AbstractMap<Long, Slice> implements ConcurrentMap<Long, Slice> {

    private final Map<Long, Slice> slices = new HashMap<>();

    /** A budget that is kept here. */
    public CacheBudget budget() {
        return new CacheBudget(this);
    }

    /** Lets go of a slice, where it is here. */
    void evict(long key) {
        compute(key, (k, slice) -> {
            if (slice != null) {
                slice.evicted();
            }
            return null;
        });
    }

    @Override
    public synchronized @Nullable Slice get(@Nullable Object key) {
        return slices.get(key);
    }

    @Override
    public synchronized @Nullable Slice compute(
            Long key, BiFunction<? super Long, ? super @Nullable Slice, ? extends @Nullable Slice> function) {
        Slice now = function.apply(key, slices.get(key));
        if (now == null) {
            slices.remove(key);
        } else {
            slices.put(key, now);
        }
        return now;
    }

    @Override
    public synchronized int size() {
        return slices.size();
    }

    @Override
    public synchronized Set<Map.Entry<Long, Slice>> entrySet() {
        return new HashSet<>(slices.entrySet());
    }

    @Override
    public Slice putIfAbsent(Long key, Slice slice) {
        throw new UnsupportedOperationException();
    }

    @Override
    public boolean remove(@Nullable Object key, @Nullable Object slice) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Slice replace(Long key, Slice slice) {
        throw new UnsupportedOperationException();
    }

    @Override
    public boolean replace(Long key, Slice old, Slice slice) {
        throw new UnsupportedOperationException();
    }
}
