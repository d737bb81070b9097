package io.qfuse.cache;

import java.io.IOException;

/** Where slices come from. Called by many threads at once, for one offset only by one at a time. */
@FunctionalInterface
public interface SliceStore {

    /**
     * Fills a slice.
     *
     * @param offset where the slice begins, in bytes
     * @param into as long as a slice; its former content is undefined, and it is not used after the call
     */
    void load(long offset, byte[] into) throws IOException;
}
