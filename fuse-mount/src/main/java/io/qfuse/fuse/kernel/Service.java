package io.qfuse.fuse.kernel;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ImageFileSystem;
import io.qfuse.fuse.RequestKind;
import io.qfuse.fuse.RequestTally;
import java.io.IOException;

/** From a request in memory to its reply in memory, whatever carries the two. One thread uses it. */
final class Service {

    private final Message message;
    private final Operations operations;
    private final RequestTally tally;
    private long ended;

    /**
     * A service of what lies in {@code message} at the time of each call.
     *
     * @param tally the serving thread's
     */
    Service(ImageFileSystem files, Negotiated negotiated, Message message, RequestTally tally) {
        this.message = message;
        this.operations = new Operations(files, negotiated, message);
        this.tally = tally;
    }

    /**
     * Does the request and lays down its reply, header and body.
     *
     * @param begun when it arrived, as {@link System#nanoTime} has it
     * @return the length of the reply's body, or {@link Operations#NO_REPLY}
     */
    int serve(long begun) {
        int opcode = message.header().getInt(Protocol.IN_OPCODE);
        int length;
        int error = 0;
        try {
            length = operations.serve(opcode, message.header().getLong(Protocol.IN_NODE));
        } catch (IOException | RuntimeException | Error e) {
            // Whatever it was: a client waits for an answer, and the next one for this thread.
            error = Errno.logged(e);
            length = 0;
        }
        ended = System.nanoTime();
        count(opcode, ended - begun, error, length);
        if (length != Operations.NO_REPLY) {
            putHeader(error, length);
        }
        return length;
    }

    /** When the last request was done. */
    long ended() {
        return ended;
    }

    /** Before the reply is sent: whoever has got it finds it counted. */
    private void count(int opcode, long nanos, int error, int length) {
        RequestKind kind = RequestKind.of(opcode);
        if (error != 0) {
            tally.failed(kind, nanos);
        } else {
            switch (kind) {
                case READ -> tally.served(kind, nanos, length);
                case WRITE -> tally.served(kind, nanos, message.reply().getInt(0));
                default -> tally.served(kind, nanos, 0);
            }
        }
    }

    /** The two headers may share their memory. */
    private void putHeader(int error, int bodyLength) {
        long unique = message.header().getLong(Protocol.IN_UNIQUE);
        message.replyHeader()
                .putInt(Protocol.OUT_LENGTH, Protocol.OUT_HEADER + bodyLength)
                .putInt(Protocol.OUT_ERROR, -error)
                .putLong(Protocol.OUT_UNIQUE, unique);
    }
}
