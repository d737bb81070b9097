package io.qfuse.qcow2;

import java.io.IOException;

/**
 * A guest disk as flat bytes, whatever lies underneath: what a transport serves.
 *
 * <p>Buffers are given by their native address, so that a request's bytes go between the host file and the transport
 * without a copy through the heap. The caller owns the memory and keeps it alive for the call.
 *
 * <p>All methods may be called by any number of threads at once, except {@link #close}, after which no other may be
 * called. Offsets and lengths are in bytes, at any alignment. A range outside {@code [0, size())} is refused with
 * {@link Qcow2Exception.Kind#OUT_OF_RANGE} and nothing is done.
 */
public interface Disk extends Layer {

    /** Whether the disk was opened for writing and can still be written. */
    boolean writable();

    /** Writes {@code length} bytes at {@code address} to the guest's {@code offset}; durable after the next flush. */
    void write(long offset, long address, int length) throws IOException;

    /**
     * Makes the range read as zeroes, whatever its alignment and whatever backs it.
     *
     * @param unmap whether the host space may be given back
     */
    void writeZeroes(long offset, long length, boolean unmap) throws IOException;

    /** Gives the range host space without changing what it reads as, so that later writes there need no more. */
    void allocate(long offset, long length) throws IOException;

    /** Returns when everything written before the call is durable. */
    void flush() throws IOException;

    /** What serving it has come to so far. */
    default DiskStatistics statistics() {
        return DiskStatistics.NONE;
    }

    /** Changes the virtual size; {@code newSize} is a multiple of 512. */
    void resize(long newSize) throws IOException;

    /** Flushes, unlocks and closes; closing twice is harmless. */
    @Override
    void close() throws IOException;
}
