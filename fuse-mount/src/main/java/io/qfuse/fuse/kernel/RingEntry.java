package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Protocol.MAX_IO;
import static io.qfuse.fuse.kernel.Protocol.PAGE;

import java.nio.ByteBuffer;

/**
 * A place of a queue where one request after the other comes to lie, each to be overwritten by its reply.
 *
 * <pre>
 *  0            128                  256                                288             4096
 * | header …   | operation's body … | flags | commit id | length | … | two vectors …  | data or name; the reply's body …
 *                                    256     264         272
 * </pre>
 */
final class RingEntry {

    /** The bytes of memory that an entry takes, where all of them are used. */
    static final int SIZE = PAGE + MAX_IO;

    private static final int REGISTER = 1;
    private static final int COMMIT_AND_FETCH = 2;

    private static final int BODY = 128;
    private static final int COMMIT_ID = 264;
    private static final int PAYLOAD_LENGTH = 272;
    private static final int HEADERS = 288;
    private static final int VECTORS = 288;
    private static final int VECTOR_COUNT = 2;
    private static final int PAYLOAD = PAGE;

    private final int device;
    private final int queue;
    private final int number;
    private final long address;
    private final ByteBuffer head;
    private final Service service;

    /**
     * An entry that the kernel does not know yet.
     *
     * @param number what the ring's completions call it
     * @param at where its {@link #SIZE} bytes lie in the memory
     */
    RingEntry(int device, int queue, int number, Mapping memory, long at, Service service) {
        this.device = device;
        this.queue = queue;
        this.number = number;
        this.address = memory.address() + at;
        this.head = memory.bytes(at, PAGE);
        this.service = service;
    }

    static Message message(Mapping memory, long at) {
        ByteBuffer header = memory.bytes(at, BODY);
        ByteBuffer payload = memory.bytes(at + PAYLOAD, MAX_IO);
        long payloadAddress = memory.address() + at + PAYLOAD;
        return new Message(
                header, memory.bytes(at + BODY, BODY), payload, payloadAddress, header, payload, payloadAddress);
    }

    /** Asks for the first request. */
    void register(Ring ring) {
        head.putLong(VECTORS, address).putLong(VECTORS + 8, HEADERS);
        head.putLong(VECTORS + 16, address + PAYLOAD).putLong(VECTORS + 24, MAX_IO);
        ring.command(device, REGISTER, number, queue, 0, address + VECTORS, VECTOR_COUNT);
    }

    /** Does the request that has come, sends its reply and asks for the next one. */
    void serve(Ring ring) {
        int length = service.serve(System.nanoTime());
        head.putInt(PAYLOAD_LENGTH, Math.max(length, 0));
        ring.command(device, COMMIT_AND_FETCH, number, queue, head.getLong(COMMIT_ID), 0, 0);
    }
}
