package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Native.LIBC;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ImageFileSystem;
import io.qfuse.fuse.IoFlusher;
import io.qfuse.fuse.RequestTally;
import io.qfuse.qcow2.io.ThreadAffinity;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.util.concurrent.CompletableFuture;

/**
 * One thread's loop over its queue: have all requests done that have come, and in one call send the replies and wait for
 * more. It owns its ring and the memory of its entries.
 */
final class RingWorker implements Runnable, AutoCloseable {

    private static final System.Logger LOG = System.getLogger(RingWorker.class.getPackageName());

    /** Requests of one queue that the kernel can hand over before the first is answered. */
    private static final int DEPTH = 4;

    private final int queue;
    private final Ring ring;
    private final Mapping memory;
    private final RingEntry[] entries = new RingEntry[DEPTH];
    private final CompletableFuture<Void> registered = new CompletableFuture<>();

    /** Entries that the kernel knows. */
    private int alive;

    /** A worker that serves nothing yet. */
    RingWorker(int queue) throws IOException {
        this.queue = queue;
        this.ring = Ring.create(DEPTH);
        try {
            this.memory = Mapping.fresh((long) DEPTH * RingEntry.SIZE);
        } catch (IOException e) {
            ring.close();
            throw e;
        }
    }

    int queue() {
        return queue;
    }

    /** Done when the kernel knows the queue, or with the reason why not. */
    CompletableFuture<Void> registered() {
        return registered;
    }

    /** Says what is to be served; before the thread is started. */
    void attach(int device, ImageFileSystem files, Negotiated negotiated) {
        RequestTally tally = files.newTally();
        for (int i = 0; i < DEPTH; i++) {
            Message message = RingEntry.message(memory, (long) i * RingEntry.SIZE);
            var service = new Service(files, negotiated, message, tally);
            entries[i] = new RingEntry(device, queue, i, memory, (long) i * RingEntry.SIZE, service);
        }
    }

    /** Serves until the file system is gone. */
    @Override
    public void run() {
        IoFlusher.markThisThread();
        // Where the client is, too, which waits meanwhile: no other processor has to be woken.
        ThreadAffinity.keepOn(queue);
        try {
            register();
            registered.complete(null);
            while (alive > 0) {
                enter(1);
                serve();
            }
        } catch (IOException | RuntimeException | Error e) {
            if (!registered.completeExceptionally(e)) {
                LOG.log(Level.ERROR, "queue " + queue + " is served no more", e);
            }
        } finally {
            close();
        }
    }

    private void register() throws IOException {
        ring.enable();
        for (RingEntry entry : entries) {
            entry.register(ring);
        }
        alive = DEPTH;
        enter(0);
        // What is refused is so at once; what comes already may wait until all queues are known.
        if (ring.hasCompletion() && ring.result() < 0) {
            throw new IOException("the kernel takes no queue: " + LIBC.strerror(-ring.result()));
        }
    }

    private void enter(int atLeast) throws IOException {
        int errno = ring.enter(atLeast);
        if (errno != 0) {
            throw new IOException("io_uring_enter: " + LIBC.strerror(errno));
        }
    }

    private void serve() {
        while (ring.hasCompletion()) {
            int number = ring.completed();
            int result = ring.result();
            ring.next();
            if (result < 0) {
                end(result);
            } else {
                entries[number].serve(ring);
            }
        }
    }

    /** An entry's last completion. */
    private void end(int result) {
        alive--;
        if (result != -Errno.ENOTCONN && result != -Errno.ECONNABORTED) {
            LOG.log(Level.ERROR, "queue {0}: the kernel took no reply: {1}", queue, LIBC.strerror(-result));
        }
    }

    @Override
    public void close() {
        ring.close();
        memory.close();
    }
}
