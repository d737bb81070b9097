package io.qfuse.it;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ErrnoException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;

/** Threads that write, punch, zero and fsync a raw file at random until its server is gone or they are told to stop. */
final class DiskLoad {

    private static final int THREADS = 4;
    private static final int MOST_BLOCKS = 48;
    private static final Set<Integer> SERVER_GONE = Set.of(Errno.ENOTCONN, Errno.ECONNABORTED);

    private final FsyncLog log;
    /** Whoever changes a block holds its lock, taken in the order of the blocks. */
    private final ReentrantLock[] locks;

    private final List<Thread> threads = new ArrayList<>();
    private final Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
    private final AtomicLong operations = new AtomicLong();
    private volatile boolean stopped;

    private DiskLoad(FsyncLog log) {
        this.log = log;
        this.locks = new ReentrantLock[log.blocks()];
        for (int i = 0; i < locks.length; i++) {
            locks[i] = new ReentrantLock();
        }
    }

    /** Opens the file once through the page cache and once past it for each thread, and starts. */
    static DiskLoad start(Path raw, FsyncLog log, long seed) throws IOException {
        DiskLoad load = new DiskLoad(log);
        for (int i = 0; i < THREADS; i++) {
            RawFile file = i % 2 == 0 ? RawFile.direct(raw) : RawFile.buffered(raw);
            Random random = new Random(seed + i);
            load.threads.add(new Thread(() -> load.run(file, random), "load-" + i));
        }
        load.threads.forEach(Thread::start);
        return load;
    }

    /** Has the threads stop after the operation that each is in. */
    void stop() {
        stopped = true;
    }

    /** Returns when all threads have ended and closed the file; fails where one met another error than that the server was gone. */
    void join() throws InterruptedException {
        for (Thread thread : threads) {
            thread.join();
        }
        if (!failures.isEmpty()) {
            throw new AssertionError("the load failed", failures.peek());
        }
    }

    /** How many operations have returned without an error. */
    long operations() {
        return operations.get();
    }

    private void run(RawFile file, Random random) {
        try (file) {
            while (!stopped) {
                step(file, random);
                operations.incrementAndGet();
            }
        } catch (ErrnoException e) {
            if (!SERVER_GONE.contains(e.errno())) {
                failures.add(e);
            }
        } catch (RuntimeException | Error e) {
            failures.add(e);
        }
    }

    private void step(RawFile file, Random random) throws ErrnoException {
        int choice = random.nextInt(100);
        if (choice < 12) {
            int[] returned = log.returned();
            file.sync();
            log.synced(returned);
            return;
        }
        int count = 1 + random.nextInt(random.nextInt(4) == 0 ? MOST_BLOCKS : 4);
        int block = random.nextInt(log.blocks() - count);
        for (int i = block; i < block + count; i++) {
            locks[i].lock();
        }
        try {
            change(file, choice, block, count);
        } finally {
            for (int i = block; i < block + count; i++) {
                locks[i].unlock();
            }
        }
    }

    private void change(RawFile file, int choice, int block, int count) throws ErrnoException {
        boolean zeroes = choice < 32;
        byte[] bytes = log.begin(block, count, zeroes);
        long offset = (long) block * FsyncLog.BLOCK;
        if (zeroes) {
            int mode = choice < 22 ? RawFile.ZERO_RANGE : RawFile.PUNCH_HOLE;
            file.allocate(mode | RawFile.KEEP_SIZE, offset, bytes.length);
        } else if (file.write(offset, bytes) < bytes.length) {
            return; // the server went in the middle of it
        }
        log.returned(block, count);
    }
}
