package io.qfuse.fuse.jnr;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ImageFileSystem;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The one request that libfuse2 does not know, and its reply.
 *
 * <pre>
 * request                                                    reply
 *  0      4        8        16      40   48       56          0     4       8        16
 * | len  | opcode | unique | …     | fh | offset | whence |  | len | error | unique | offset |
 * </pre>
 */
final class LseekRequest {

    private static final int OPCODE = 46;
    private static final int REPLY_HEADER = 16;

    private LseekRequest() {}

    static boolean is(ByteBuffer request) {
        return request.getInt(4) == OPCODE;
    }

    /** Does the request and lays the reply over it; returns the reply's length. */
    static int answer(ByteBuffer message, ImageFileSystem files) {
        int error = 0;
        int length = REPLY_HEADER + 8;
        long position = 0;
        try {
            position = files.seek(message.getLong(40), message.getLong(48), message.getInt(56));
        } catch (IOException | RuntimeException | Error e) {
            error = Errno.logged(e);
            length = REPLY_HEADER;
        }
        message.putInt(0, length).putInt(4, -error).putLong(16, position);
        return length;
    }
}
