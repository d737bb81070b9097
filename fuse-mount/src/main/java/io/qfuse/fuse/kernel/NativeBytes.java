package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Native.LIBC;

import jnr.ffi.Pointer;
import jnr.ffi.Runtime;

/** A little native memory for the structs of a system call; zero at first, freed by {@link #close}. */
final class NativeBytes implements AutoCloseable {

    private final Pointer memory;

    NativeBytes(int size) {
        long address = LIBC.calloc(1, size);
        if (address == 0) {
            throw new OutOfMemoryError("calloc of " + size + " bytes");
        }
        memory = Pointer.wrap(Runtime.getSystemRuntime(), address, size);
    }

    long address() {
        return memory.address();
    }

    void putInt(int at, int value) {
        memory.putInt(at, value);
    }

    void putLong(int at, long value) {
        memory.putLong(at, value);
    }

    byte[] get(int from, int length) {
        byte[] bytes = new byte[length];
        memory.get(from, bytes, 0, length);
        return bytes;
    }

    byte getByte(int at) {
        return memory.getByte(at);
    }

    int getInt(int at) {
        return memory.getInt(at);
    }

    long getLong(int at) {
        return memory.getLong(at);
    }

    @Override
    public void close() {
        LIBC.free(memory.address());
    }
}
