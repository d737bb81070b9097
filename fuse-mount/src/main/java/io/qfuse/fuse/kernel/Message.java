package io.qfuse.fuse.kernel;

import java.nio.ByteBuffer;

/**
 * Where one request and its reply lie in memory. What carries them decides: over /dev/fuse the parts of a request follow each
 * other, over io_uring each has a place of its own, and a reply lies where its request did.
 *
 * @param header the request's header
 * @param body the operation's struct
 * @param name where an operation that has no struct has its name
 * @param dataAddress where the data of a write lie
 * @param replyHeader room for the reply's header
 * @param reply room for the reply's body
 * @param replyAddress the native address of that room
 */
record Message(
        ByteBuffer header,
        ByteBuffer body,
        ByteBuffer name,
        long dataAddress,
        ByteBuffer replyHeader,
        ByteBuffer reply,
        long replyAddress) {

    /** As read(2) and write(2) on /dev/fuse have it: each in one piece. */
    static Message of(PageBuffer request, PageBuffer reply) {
        ByteBuffer body = from(request.bytes(), Protocol.IN_HEADER);
        return new Message(
                request.bytes(),
                body,
                body,
                request.address() + Protocol.IN_HEADER + Protocol.WRITE_BODY,
                reply.bytes(),
                from(reply.bytes(), Protocol.OUT_HEADER),
                reply.address() + Protocol.OUT_HEADER);
    }

    private static ByteBuffer from(ByteBuffer bytes, int start) {
        return bytes.slice(start, bytes.capacity() - start).order(bytes.order());
    }
}
