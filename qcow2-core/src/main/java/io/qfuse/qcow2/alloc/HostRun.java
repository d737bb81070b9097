package io.qfuse.qcow2.alloc;

/**
 * Adjacent clusters of the host file that were just allocated.
 *
 * @param offset the host offset of the first
 * @param clusters how many, at least 1
 * @param fresh whether the file has never held a byte there, so that what is not written reads as zeroes
 */
public record HostRun(long offset, int clusters, boolean fresh) {}
