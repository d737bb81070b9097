package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Native.LIBC;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ImageFileSystem;
import io.qfuse.fuse.IoFlusher;
import java.lang.System.Logger.Level;

/** One thread's loop: read a request, have it done, write the reply. It owns its two buffers and its descriptor. */
final class Worker implements Runnable {

    private static final System.Logger LOG = System.getLogger(Worker.class.getPackageName());

    /** What the kernel wants the read buffer to hold beside the data of the largest write. */
    private static final int REQUEST_ROOM = 8192;

    private final int device;
    private final PageBuffer request =
            new PageBuffer(Protocol.IN_HEADER + Protocol.WRITE_BODY, Protocol.MAX_IO + REQUEST_ROOM);
    private final PageBuffer reply = new PageBuffer(Protocol.OUT_HEADER, Protocol.MAX_IO);
    private final int capacity = request.bytes().capacity();
    private final Service service;

    Worker(int device, ImageFileSystem files, Negotiated negotiated) {
        this.device = device;
        this.service = new Service(files, negotiated, Message.of(request, reply), files.newTally());
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
        long got = LIBC.read(device, request.address(), capacity);
        if (got >= Protocol.IN_HEADER) {
            int bodyLength = service.serve();
            if (bodyLength != Operations.NO_REPLY) {
                send(bodyLength);
            }
            return true;
        }
        return got < 0 && goesOn(Native.errno());
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
