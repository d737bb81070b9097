package io.qfuse.qcow2.io;

import io.qfuse.qcow2.HostAccess;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A file of the host by absolute offsets. Every method either does the whole of what it says or throws; a failed write
 * may have written any part of its range. Safe for use by many threads; {@link #close} is called last.
 */
public interface HostFile extends AutoCloseable {

    /** The file as the user named it, for messages. */
    Path path();

    /** The file's length in bytes. */
    long size() throws IOException;

    /** The bytes that the file takes on its file system. */
    long allocatedBytes() throws IOException;

    /** Who may use the file; empty where it is no file of the host. */
    default Optional<HostAccess> access() throws IOException {
        return Optional.empty();
    }

    /** Fills the memory; bytes behind the end of the file are zeroes. */
    void read(long offset, long address, int length) throws IOException;

    /** Writes the memory, growing the file where it ends behind the end. */
    void write(long offset, long address, int length) throws IOException;

    /** Makes the range zeroes, growing the file where it ends behind the end; space may or may not be reserved. */
    void writeZeroes(long offset, long length) throws IOException;

    /** Makes the range zeroes inside the file and gives its space back where the file system can. */
    void punchHole(long offset, long length) throws IOException;

    /** Grows the file to the end of the range and reserves its space where the file system can, changing no byte. */
    void allocate(long offset, long length) throws IOException;

    /** Sets the length. */
    void truncate(long size) throws IOException;

    /** Returns when all completed writes are durable (fdatasync). */
    void sync() throws IOException;

    /** The first byte at or behind {@code offset} that is data, or -1 where none is. */
    long seekData(long offset) throws IOException;

    /** The first byte at or behind {@code offset} that is in a hole; the end of the file counts as one. */
    long seekHole(long offset) throws IOException;

    /** Reads into the heap: for metadata. Bytes behind the end of the file are zeroes. */
    void read(long offset, byte[] into) throws IOException;

    /** Writes from the heap: for metadata. */
    void write(long offset, byte[] from, int start, int length) throws IOException;

    /** Closes without a barrier. */
    @Override
    void close() throws IOException;
}
