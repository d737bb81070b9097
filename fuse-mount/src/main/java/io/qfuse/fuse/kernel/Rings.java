package io.qfuse.fuse.kernel;

import io.qfuse.fuse.ImageFileSystem;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;

/**
 * The requests of one mount over io_uring.
 *
 * <h2>What it is</h2>
 *
 * The kernel has a queue for each processor that there could be, and puts a request into the queue of the processor that
 * the client runs on. A queue consists of {@link RingEntry entries}, places in the server's memory that a request is copied
 * to, and its reply from. One {@link RingWorker} serves each queue, by a {@link Ring} of its own: one system call takes any
 * number of replies and brings any number of requests.
 *
 * <p>What a client does not wait for (FORGET, INTERRUPT) still comes from /dev/fuse, where one {@link Worker} goes on to read.
 *
 * <h2>The beginning</h2>
 *
 * From the answer to INIT on all requests wait until every queue has an entry. So rings and memory are there before it is
 * given, and what can fail has failed by then.
 *
 * <h2>The end</h2>
 *
 * Nobody stops a worker: an unmount completes the command of each entry that waits with an error, and of each other as soon
 * as it has been served. A worker whose entries have all ended lets go of its ring and its memory.
 */
final class Rings implements AutoCloseable {

    private final List<RingWorker> workers = new ArrayList<>();

    private Rings() {}

    /**
     * Rings and memory, which are not used yet.
     *
     * @throws RingsRefusedException where the host has or permits nothing of the kind
     */
    static Rings create() throws RingsRefusedException {
        int queues = RingSupport.queues();
        var rings = new Rings();
        try {
            for (int queue = 0; queue < queues; queue++) {
                rings.workers.add(new RingWorker(queue));
            }
            return rings;
        } catch (IOException e) {
            rings.close();
            throw new RingsRefusedException(e);
        }
    }

    /** Lets go of rings that have not been started. */
    @Override
    public void close() {
        workers.forEach(RingWorker::close);
        workers.clear();
    }

    /** The threads that will serve all queues; they let go of the rings at their end. */
    List<Thread> threads(int device, ImageFileSystem files, Negotiated negotiated) {
        List<Thread> threads = new ArrayList<>();
        for (RingWorker worker : workers) {
            worker.attach(device, files, negotiated);
            threads.add(new Thread(worker, "fuse-ring-" + worker.queue()));
        }
        return threads;
    }

    /** Returns when the kernel knows all queues, and sends requests there. */
    void awaitRegistered() throws IOException {
        for (RingWorker worker : workers) {
            try {
                worker.registered().get();
            } catch (ExecutionException e) {
                throw new RingsRefusedException(e.getCause());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted while the mount began", e);
            }
        }
    }
}
