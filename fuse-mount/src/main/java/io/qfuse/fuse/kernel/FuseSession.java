package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Native.LIBC;

import io.qfuse.fuse.ImageFileSystem;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The conversation with the kernel about one mount.
 *
 * <h2>What it is</h2>
 *
 * The kernel puts requests for the mount into a queue behind a descriptor of /dev/fuse. A read(2) takes one out, a
 * write(2) brings its reply. Each {@link Worker} is a Java thread that does both, with the work between them, and hands
 * nothing to anybody: a request is parsed in the memory it was read to, a disk reads straight to where the reply is
 * written from, and a write's data lie page aligned where the kernel put them. No byte crosses the heap and no object is
 * made for a read or a write.
 *
 * <h2>Concurrency</h2>
 *
 * Workers share the file system and nothing else. Each has a descriptor of its own, cloned from the session's, so that
 * a request is answered from the queue of the descriptor it was read from and the workers do not meet at one lock in the
 * kernel. Where /dev/fuse cannot be opened a second time (it belongs to root, and the first descriptor came from
 * fusermount3) all workers share the session's, which is slower and right as well.
 *
 * <p>The handshake is done by the calling thread before the first worker starts: what was agreed is published by
 * {@link Thread#start}.
 *
 * <h2>The end</h2>
 *
 * Nobody stops a worker: an unmount makes its read fail, after the request it was serving is done. Only then are
 * descriptors closed, so that no number is used again under a thread's feet.
 *
 * <h2>Over io_uring</h2>
 *
 * Where it is wanted, {@link Rings} carry what clients wait for, and one worker reads the rest.
 *
 * <h2>Why not the obvious way</h2>
 *
 * libfuse calls back from C for each request: through a table of functions, with a copy into its buffers and requests of
 * at most 128 KiB in version 2. Measured on the same machine that costs a factor of three to six at queue depth 32.
 */
final class FuseSession {

    private static final long FUSE_DEV_IOC_CLONE = 0x8004e500L;

    private final int device;
    private final ImageFileSystem files;
    private final Optional<Rings> rings;
    private final Negotiated negotiated;
    private final Polling polling = new Polling();
    private final List<Thread> threads = new ArrayList<>();

    /** The session's descriptor and its clones, until they are closed; guarded by this. */
    private final List<Integer> descriptors = new ArrayList<>();

    /**
     * A session that is not yet served.
     *
     * @param device the mount's descriptor of /dev/fuse, which the session closes at its end
     * @param rings what most requests shall come over; none for /dev/fuse
     */
    FuseSession(int device, ImageFileSystem files, Optional<Rings> rings) {
        this.device = device;
        this.files = files;
        this.rings = rings;
        this.negotiated = new Negotiated(rings.isPresent());
        descriptors.add(device);
    }

    /**
     * Greets the kernel and starts the workers; with rings, one beside theirs.
     *
     * @throws RingsRefusedException where the kernel wants none; what was started ends with the mount
     */
    void start(int workers) throws IOException {
        var first = new Worker(device, files, negotiated, polling);
        while (!negotiated.done()) {
            if (!first.serveOne()) {
                rings.ifPresent(Rings::close);
                closeDescriptors();
                throw new IOException(KernelMount.DEVICE + ": the kernel ended the mount before it began");
            }
        }
        if (rings.isPresent() && !negotiated.overRings()) {
            rings.get().close();
            closeDescriptors();
            throw new RingsRefusedException("the kernel does not offer it to this mount");
        }
        start(first, 0);
        if (rings.isPresent()) {
            rings.get().threads(device, files, negotiated).forEach(this::start);
            rings.get().awaitRegistered();
            return;
        }
        for (int i = 1; i < workers; i++) {
            start(new Worker(cloneOrShare(), files, negotiated, polling), i);
        }
    }

    /** Returns when all workers have ended, with the descriptors closed. */
    void awaitEnd() throws InterruptedException {
        for (Thread thread : threads) {
            thread.join();
        }
        closeDescriptors();
    }

    private synchronized void closeDescriptors() {
        descriptors.forEach(LIBC::close);
        descriptors.clear();
    }

    private void start(Worker worker, int number) {
        start(new Thread(worker, "fuse-" + number));
    }

    private void start(Thread thread) {
        thread.setDaemon(true);
        threads.add(thread);
        thread.start();
    }

    private int cloneOrShare() {
        int clone = LIBC.open(KernelMount.DEVICE, Native.O_RDWR | Native.O_CLOEXEC);
        if (clone < 0) {
            return share();
        }
        try (var master = new NativeBytes(8)) {
            master.putInt(0, device);
            if (LIBC.ioctl(clone, FUSE_DEV_IOC_CLONE, master.address()) < 0) {
                LIBC.close(clone);
                return share();
            }
        }
        synchronized (this) {
            descriptors.add(clone);
        }
        return clone;
    }

    private int share() {
        polling.forbid();
        return device;
    }
}
