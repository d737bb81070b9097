package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Native.LIBC;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ImageFileSystem;
import io.qfuse.fuse.IoFlusher;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;

/** One thread's loop: read a request, have it done, write the reply. It owns its two buffers and its descriptor. */
final class Worker implements Runnable {

    private static final System.Logger LOG = System.getLogger(Worker.class.getPackageName());

    /** What the kernel wants the read buffer to hold beside the data of the largest write. */
    private static final int REQUEST_ROOM = 8192;

    /** The bytes of a read or write that is expected to be done in microseconds. */
    private static final int MOST_QUICK = 64 << 10;

    private final int device;
    private final PageBuffer request =
            new PageBuffer(Protocol.IN_HEADER + Protocol.WRITE_BODY, Protocol.MAX_IO + REQUEST_ROOM);
    private final PageBuffer reply = new PageBuffer(Protocol.OUT_HEADER, Protocol.MAX_IO);
    private final ByteBuffer in = request.bytes();
    private final Poller poller;
    private final Service service;

    Worker(int device, ImageFileSystem files, Negotiated negotiated, Polling polling) {
        this.device = device;
        this.poller = new Poller(polling, device);
        this.service = new Service(files, negotiated, Message.of(request, reply), files.newTally());
    }

    /** Serves until the file system is gone. */
    @Override
    public void run() {
        IoFlusher.markThisThread();
        try {
            while (servesOn()) {
                // each turn is one request
            }
        } finally {
            poller.leave();
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
        long got = poller.read(request.address(), in.capacity());
        if (got >= Protocol.IN_HEADER) {
            long begun = System.nanoTime();
            poller.begin(isQuick(), begun);
            int bodyLength = service.serve(begun);
            poller.end(service.ended());
            if (bodyLength != Operations.NO_REPLY) {
                send(bodyLength);
            }
            return true;
        }
        return got < 0 && goesOn(Native.errno());
    }

    private boolean isQuick() {
        int opcode = in.getInt(Protocol.IN_OPCODE);
        return (opcode == Protocol.READ || opcode == Protocol.WRITE)
                && in.getInt(Protocol.IN_HEADER + Protocol.IO_SIZE) <= MOST_QUICK;
    }

    private void send(int bodyLength) {
        if (LIBC.write(device, reply.address(), Protocol.OUT_HEADER + bodyLength) < 0) {
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
