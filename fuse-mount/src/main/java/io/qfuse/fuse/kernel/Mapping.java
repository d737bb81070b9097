package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Native.LIBC;

import io.qfuse.qcow2.io.NativeBuffer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Memory from mmap(2): it begins at a page border, and takes room only where it has been touched. */
final class Mapping implements AutoCloseable {

    private static final int PROT_READ_WRITE = 3;
    private static final int MAP_SHARED = 1;
    private static final int MAP_PRIVATE = 2;
    private static final int MAP_ANONYMOUS = 0x20;
    private static final int MAP_POPULATE = 0x8000;

    private final long address;
    private final long size;

    private Mapping(long size, int flags, int file, long offset) throws IOException {
        address = WideCalls.mmap(0, size, PROT_READ_WRITE, flags, file, offset);
        if (address == -1) {
            throw new IOException("mmap of " + size + " bytes: " + LIBC.strerror(Native.errno()));
        }
        this.size = size;
    }

    /** Fresh memory, zero. */
    static Mapping fresh(long size) throws IOException {
        return new Mapping(size, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }

    /** What is shared through a descriptor. */
    static Mapping shared(int file, long offset, long size) throws IOException {
        return new Mapping(size, MAP_SHARED | MAP_POPULATE, file, offset);
    }

    long address() {
        return address;
    }

    /** A part of it as a buffer, which must not outlive it. */
    ByteBuffer bytes(long at, int length) {
        return NativeBuffer.wrap(address + at, length).order(ByteOrder.nativeOrder());
    }

    @Override
    public void close() {
        LIBC.munmap(address, size);
    }
}
