package io.qfuse.qcow2;

import java.io.IOException;
import java.util.Optional;

/**
 * Guest bytes that can be read: an image, or what lies below one. Offsets and lengths are in bytes at any alignment;
 * every range lies within {@code [0, size())}. Safe for use by many threads; {@link #close} is called last.
 */
public interface Layer extends AutoCloseable {

    /** The virtual size in bytes, a multiple of 512. */
    long size();

    /** The bytes that this layer and all below it take on the host. */
    long allocatedBytes() throws IOException;

    /**
     * Who may use the files that the bytes come from. Empty where that cannot be told, or where the files do not show what is
     * shown here, as encrypted ones: then nobody may but who opened them.
     */
    default Optional<HostAccess> access() throws IOException {
        return Optional.empty();
    }

    /** Fills {@code length} bytes at {@code address} with the guest's bytes from {@code offset} on. */
    void read(long offset, long address, int length) throws IOException;

    /**
     * The run of one kind that starts at {@code offset}, through the whole chain; as long as is cheap to tell, at least
     * one byte. {@code offset} must lie below the size.
     */
    Extent nextExtent(long offset) throws IOException;

    /** Releases the layer and all below it; closing twice is harmless. */
    @Override
    void close() throws IOException;
}
