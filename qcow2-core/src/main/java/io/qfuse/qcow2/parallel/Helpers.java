package io.qfuse.qcow2.parallel;

import io.qfuse.qcow2.io.ThreadAffinity;
import java.io.IOException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Threads of the whole process that help a caller with work in many parts, one fewer than there are processors.
 *
 * <h2>Concurrency</h2>
 *
 * <ol>
 *   <li>The caller does parts itself until none is left, and then waits only for parts that a helper is doing at that
 *       moment. So any number of callers go on without a helper, whatever the helpers are busy with.
 *   <li>Nothing queues: only a helper that is idle is asked. A thread is made when it is first wanted, and ends when it
 *       was not for a while.
 *   <li>A helper works under the caller's locks and must take none; parts do not call for helpers.
 *   <li>When {@link #share} returns or throws, no part is running any more.
 * </ol>
 */
public final class Helpers {

    private static final Helpers SHARED =
            new Helpers("help", Runtime.getRuntime().availableProcessors() - 1);

    private static final int IDLE_SECONDS = 10;

    private final int most;
    private final ThreadPoolExecutor threads;

    /** One part of the work. */
    @FunctionalInterface
    public interface Part {

        /** Does the part with this number; called once for each, by any thread. */
        void run(int number) throws IOException;
    }

    /**
     * Helpers of their own.
     *
     * @param name what their names begin with
     * @param most how many threads there may be, none at all included
     */
    Helpers(String name, int most) {
        this.most = most;
        AtomicInteger number = new AtomicInteger();
        this.threads = new ThreadPoolExecutor(
                0,
                Math.max(1, most),
                IDLE_SECONDS,
                TimeUnit.SECONDS,
                new SynchronousQueue<>(),
                work -> {
                    // Started by who asks for it, it inherits what the transport has set for its threads: that it
                    // writes back what others wait for shall stay, that it keeps to one processor shall not.
                    Runnable anywhere = () -> {
                        ThreadAffinity.release();
                        work.run();
                    };
                    Thread thread = new Thread(anywhere, name + "-" + number.getAndIncrement());
                    thread.setDaemon(true);
                    return thread;
                },
                new ThreadPoolExecutor.DiscardPolicy());
    }

    /** The helpers of the whole process. */
    public static Helpers shared() {
        return SHARED;
    }

    /**
     * Does parts 0 to {@code parts - 1}, in any order and some at once. After a part has failed the rest may be left out,
     * and the first failure is thrown.
     */
    public void share(int parts, Part part) throws IOException {
        Work work = new Work(parts, part);
        for (int i = Math.min(most, parts - 1); i > 0; i--) {
            ask(work);
        }
        work.finish();
    }

    private void ask(Work work) {
        try {
            threads.execute(work);
        } catch (OutOfMemoryError e) {
            // The system gives no further thread: the caller does without.
        }
    }

    private static final class Work implements Runnable {

        private final int parts;
        private final Part part;
        private final Thread caller = Thread.currentThread();
        private final AtomicInteger next = new AtomicInteger();

        /** Helpers that may have a part. Raised before a part is taken: who finds none left counts all who took one. */
        private final AtomicInteger helping = new AtomicInteger();

        private volatile @Nullable Throwable failure;

        Work(int parts, Part part) {
            this.parts = parts;
            this.part = part;
        }

        @Override
        public void run() {
            helping.incrementAndGet();
            doParts();
            if (helping.decrementAndGet() == 0) {
                LockSupport.unpark(caller);
            }
        }

        void finish() throws IOException {
            doParts();
            while (helping.get() > 0) {
                LockSupport.park(this);
            }
            Throwable first = failure;
            if (first instanceof IOException e) {
                throw e;
            } else if (first instanceof RuntimeException e) {
                throw e;
            } else if (first instanceof Error e) {
                throw e;
            }
        }

        private void doParts() {
            for (int i = next.getAndIncrement(); i < parts && failure == null; i = next.getAndIncrement()) {
                try {
                    part.run(i);
                } catch (IOException | RuntimeException | Error e) {
                    fail(e);
                }
            }
        }

        private synchronized void fail(Throwable e) {
            if (failure == null) {
                failure = e;
            }
        }
    }
}
