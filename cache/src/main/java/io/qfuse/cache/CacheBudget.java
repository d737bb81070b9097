package io.qfuse.cache;

import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.RemovalCause;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The memory that any number of {@link SliceCache}s share, as those of the images of one chain: what one of them does
 * not use is the others'. Pinned and dirty slices stay in memory beyond the budget.
 */
public final class CacheBudget {

    /** About what a slice takes beside its content: the objects around it and its entry here. */
    private static final int OVERHEAD = 160;

    private static final int KEY_BITS = 47;
    private static final int KEY_SHIFT = 9;

    private final ConcurrentMap<Long, Slice> slices;
    private final AtomicInteger caches = new AtomicInteger();
    private final LookupCounts[] lookups =
            Stream.generate(LookupCounts::new).limit(SliceCache.RANKS).toArray(LookupCounts[]::new);

    /**
     * A budget of its own.
     *
     * @param bytes the most that cached slices take together; at least one slice is usable whatever it is
     */
    public CacheBudget(long bytes) {
        this(caffeine(bytes));
    }

    /**
     * A budget that is kept by somebody else.
     *
     * @param slices tells a slice that it is {@linkplain Slice#evicted evicted} within the atomic removal of its entry
     */
    CacheBudget(ConcurrentMap<Long, Slice> slices) {
        this.slices = slices;
    }

    private static ConcurrentMap<Long, Slice> caffeine(long bytes) {
        // Maintenance in the calling thread: it is short, and no pool of threads decides when memory is given back.
        return Caffeine.newBuilder()
                .maximumWeight(bytes)
                .weigher((Long key, Slice slice) -> slice.size() + OVERHEAD)
                .evictionListener(CacheBudget::evicted)
                .executor(Runnable::run)
                .<Long, Slice>build()
                .asMap();
    }

    /** Runs inside the atomic removal, as {@link SliceCache} needs it. */
    private static void evicted(@Nullable Long key, @Nullable Slice slice, RemovalCause cause) {
        if (slice != null) {
            slice.evicted();
        }
    }

    /** About the room that slices of so many bytes in all take, of 4 KiB each. */
    public static long room(long bytes) {
        return bytes + bytes / 4096 * OVERHEAD;
    }

    /** How the lookups of slices of a rank have gone, in all caches together. */
    public LookupCounts lookups(int rank) {
        return lookups[rank];
    }

    ConcurrentMap<Long, Slice> slices() {
        return slices;
    }

    /** What sets the keys of one cache apart from those of all others. */
    long nextCache() {
        int number = caches.getAndIncrement();
        if (number < 0 || number >= 1 << (Long.SIZE - KEY_BITS)) {
            throw new IllegalStateException("too many caches: " + number);
        }
        return (long) number << KEY_BITS;
    }

    /** The number of the sector that a slice begins with, the lower part of a key. */
    static long sector(long offset) {
        return offset >>> KEY_SHIFT;
    }
}
