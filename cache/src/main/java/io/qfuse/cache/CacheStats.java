package io.qfuse.cache;

/**
 * Counts since a cache was made.
 *
 * @param hits slices asked for that were there
 * @param misses slices asked for that had to be loaded
 * @param evictions slices that gave way to others
 */
public record CacheStats(long hits, long misses, long evictions) {}
