package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Native.LIBC;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ImageFileSystem;
import io.qfuse.fuse.IoFlusher;
import io.qfuse.fuse.RequestKind;
import io.qfuse.fuse.RequestTally;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;

/** One thread's loop: read a request, have it done, write the reply. It owns its two buffers and its descriptor. */
final class Worker implements Runnable {

    private static final System.Logger LOG = System.getLogger(Worker.class.getPackageName());

    /** What the kernel wants the read buffer to hold beside the data of the largest write. */
    private static final int REQUEST_ROOM = 8192;

    private final int device;
    private final PageBuffer request = new PageBuffer(Protocol.WRITE_DATA, Protocol.MAX_IO + REQUEST_ROOM);
    private final PageBuffer reply = new PageBuffer(Protocol.OUT_HEADER, Protocol.MAX_IO);
    private final ByteBuffer in = request.bytes();
    private final ByteBuffer out = reply.bytes();
    private final Operations operations;
    private final RequestTally tally;

    Worker(int device, ImageFileSystem files, Negotiated negotiated) {
        this.device = device;
        this.tally = files.newTally();
        this.operations = new Operations(files, negotiated, request, reply);
    }

    /** Serves until the file system is gone. */
    @Override
    public void run() {
        IoFlusher.markThisThread();
        while (servesOn()) {
            // each turn is one request
        }
    }

    /** Whatever happens between two requests is no reason to serve no more. */
    private boolean servesOn() {
        try {
            return serveOne();
        } catch (OutOfMemoryError e) {
            return true;
        }
    }

    /** Reads one request and serves it; {@code false} when there will be no more. */
    boolean serveOne() {
        long got = LIBC.read(device, request.address(), in.capacity());
        if (got >= Protocol.IN_HEADER) {
            serve();
            return true;
        }
        return got < 0 && goesOn(Native.errno());
    }

    private void serve() {
        long begun = System.nanoTime();
        int opcode = in.getInt(Protocol.IN_OPCODE);
        int length;
        int error = 0;
        try {
            length = operations.serve(opcode, in.getLong(Protocol.IN_NODE));
        } catch (IOException | RuntimeException | Error e) {
            // Whatever it was: a client waits for an answer, and the next one for this thread.
            error = Errno.logged(e);
            length = 0;
        }
        count(opcode, System.nanoTime() - begun, error, length);
        if (length != Operations.NO_REPLY) {
            send(in.getLong(Protocol.IN_UNIQUE), error, length);
        }
    }

    /** Before the reply is sent: whoever has got it finds it counted. */
    private void count(int opcode, long nanos, int error, int length) {
        RequestKind kind = RequestKind.of(opcode);
        if (error != 0) {
            tally.failed(kind, nanos);
        } else {
            switch (kind) {
                case READ -> tally.served(kind, nanos, length);
                case WRITE -> tally.served(kind, nanos, out.getInt(Protocol.OUT_HEADER));
                default -> tally.served(kind, nanos, 0);
            }
        }
    }

    private void send(long unique, int error, int bodyLength) {
        int length = Protocol.OUT_HEADER + bodyLength;
        out.putInt(Protocol.OUT_LENGTH, length);
        out.putInt(Protocol.OUT_ERROR, -error);
        out.putLong(Protocol.OUT_UNIQUE, unique);
        if (LIBC.write(device, reply.address(), length) < 0) {
            int errno = Native.errno();
            // ENOENT: the client was killed meanwhile; ENODEV: unmounted, which the next read tells, too.
            if (errno != Errno.ENOENT && errno != Errno.ENODEV) {
                LOG.log(Level.ERROR, "the kernel took no reply: {0}", LIBC.strerror(errno));
            }
        }
    }

    private static boolean goesOn(int errno) {
        switch (errno) {
            case Errno.EINTR, Errno.EAGAIN, Errno.ENOENT -> {
                return true;
            }
            case Errno.ENODEV, Errno.ECONNABORTED -> {
                return false;
            }
            default -> {
                LOG.log(Level.ERROR, "/dev/fuse cannot be read any more: {0}", LIBC.strerror(errno));
                return false;
            }
        }
    }
}
