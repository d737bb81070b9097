package io.qfuse.cache;

import java.util.concurrent.atomic.LongAdder;

/**
 * How often something was found in a cache, and how often not. Counting takes a few nanoseconds, allocates nothing while
 * threads do not meet, and lets them not wait for each other; what is read beside it may lag behind.
 */
public final class LookupCounts {

    private final LongAdder hits = new LongAdder();
    private final LongAdder misses = new LongAdder();

    void hit() {
        hits.increment();
    }

    void miss() {
        misses.increment();
    }

    /** Lookups that found what they wanted. */
    public long hits() {
        return hits.sum();
    }

    /** Lookups that had to have it loaded or made. */
    public long misses() {
        return misses.sum();
    }
}
