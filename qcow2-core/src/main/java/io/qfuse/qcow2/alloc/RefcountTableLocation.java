package io.qfuse.qcow2.alloc;

/**
 * Where the refcount table lies, as the header says it.
 *
 * @param offset its host offset
 * @param clusters its length
 */
public record RefcountTableLocation(long offset, int clusters) {}
