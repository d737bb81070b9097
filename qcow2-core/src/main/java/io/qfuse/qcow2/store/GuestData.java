package io.qfuse.qcow2.store;

import java.io.IOException;

/**
 * Where guest bytes are stored, and how: in the image's own file or another one, as they are or encrypted. Which place
 * belongs to which guest bytes is the map's business.
 *
 * <p>A range lies within host clusters that belong to {@code guest} and the bytes behind it. Safe for use by many threads
 * that do not touch the same bytes at once.
 */
public interface GuestData extends AutoCloseable {

    /** Fills the memory with the {@code length} guest bytes from {@code guest} on, which are stored at {@code host}. */
    void read(long host, long guest, long address, int length) throws IOException;

    /** Stores the memory as the {@code length} guest bytes from {@code guest} on, at {@code host}. */
    void write(long host, long guest, long address, int length) throws IOException;

    /** Gives the range host space, changing no byte. */
    void allocate(long host, long length) throws IOException;

    /** Returns when all completed writes are durable. */
    void sync() throws IOException;

    /** Whether what was never written reads as zeroes. */
    boolean holesAreZeroes();

    /**
     * Whether a write of this range also stores bytes around it anew, so that nobody else may write in the same cluster
     * meanwhile.
     */
    boolean needsHold(long guest, int length);

    /** Closes the file that holds the data. */
    @Override
    void close() throws IOException;
}
