package io.qfuse.fuse.jnr;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ImageFileSystem;
import io.qfuse.fuse.kernel.ReportCall;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The requests that libfuse2 does not know, or not for directories, and their replies.
 *
 * <pre>
 * every request                      every reply               lseek
 *  0      4        8        16        0     4       8           40   48       56
 * | len  | opcode | unique | …       | len | error | unique |  | fh | offset | whence |
 *                                     16                        16
 *                                    | body …                  | offset |
 * </pre>
 */
final class OwnRequest {

    private static final int LSEEK = 46;
    private static final int IOCTL = 39;
    private static final int USER = 24;
    private static final int REQUEST_HEADER = 40;
    private static final int REPLY_HEADER = 16;

    private OwnRequest() {}

    static boolean is(int opcode) {
        return opcode == LSEEK || opcode == IOCTL;
    }

    /** Does the request and lays the reply over it; returns the error number, 0 where there was none. */
    static int answer(ByteBuffer message, ImageFileSystem files) {
        int error = 0;
        int body = 0;
        try {
            body = message.getInt(4) == LSEEK ? seek(message, files) : report(message, files);
        } catch (IOException | RuntimeException | Error e) {
            error = Errno.logged(e);
        }
        message.putInt(0, REPLY_HEADER + body).putInt(4, -error);
        return error;
    }

    private static int seek(ByteBuffer message, ImageFileSystem files) throws IOException {
        long position = files.seek(message.getLong(40), message.getLong(48), message.getInt(56));
        message.putLong(REPLY_HEADER, position);
        return Long.BYTES;
    }

    private static int report(ByteBuffer message, ImageFileSystem files) throws IOException {
        return ReportCall.answer(
                message.getInt(USER), from(message, REQUEST_HEADER), from(message, REPLY_HEADER), files);
    }

    private static ByteBuffer from(ByteBuffer message, int start) {
        return message.slice(start, message.capacity() - start).order(message.order());
    }
}
