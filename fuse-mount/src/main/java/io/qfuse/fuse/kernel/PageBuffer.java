package io.qfuse.fuse.kernel;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;

/**
 * Native memory for one request or reply, laid so that the bytes behind a header start at a page.
 *
 * <p>The memory lives as long as this object does: who uses the address keeps the object.
 */
final class PageBuffer {

    private final ByteBuffer bytes;
    private final long address;

    /**
     * Memory for a header and what follows it.
     *
     * @param header bytes before the page border, at most a page
     * @param capacity bytes from the page border on
     */
    PageBuffer(int header, int capacity) {
        ByteBuffer memory = ByteBuffer.allocateDirect(capacity + 2 * Protocol.PAGE);
        long base = Pointer.wrap(Runtime.getSystemRuntime(), memory).address();
        long border = (base + header + Protocol.PAGE - 1) & -Protocol.PAGE;
        int start = (int) (border - header - base);
        this.bytes = memory.slice(start, header + capacity).order(ByteOrder.nativeOrder());
        this.address = border - header;
    }

    /** The memory from the header on. */
    ByteBuffer bytes() {
        return bytes;
    }

    /** The native address of the header's first byte. */
    long address() {
        return address;
    }
}
