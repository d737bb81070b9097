package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Native.LIBC;

import io.qfuse.fuse.Errno;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * How one worker waits for its next request: asleep in the kernel, or polling when it has the turn ({@link Polling}).
 *
 * <p>It wants the turn after a number of small requests in a row that it had to wait for, but not long, while no other worker
 * was serving. That number doubles each time a turn was of little use, so that a client whose pace is just too slow costs
 * next to nothing.
 */
final class Poller {

    /** A worker that waited for less was kept busy; what it takes to send a reply is in it. */
    private static final long BUSY_NANOS = 4_000;

    /** Who waits for longer has a client too slow to poll for; requests may go round all workers. */
    private static final long SLOW_NANOS = 400_000;

    /** So many requests in a row must have been lonely before the first turn. */
    private static final int FEWEST = 32;

    /** What that number doubles up to. */
    private static final int MOST = 1 << 14;

    /** A turn with so many requests was of use. */
    private static final int USEFUL = 256;

    /** A turn ends with so many: whether more than one is under way by now can be told only without one. */
    private static final int LONGEST = 2048;

    /** Where the word of {@link #serving} lies, no other worker's within the same line of the processor's cache. */
    private static final int WORD = 16;

    private final Polling polling;
    private final int device;

    /** When the request that is being served began, 0 where none is; written by this worker, read by all. */
    private final AtomicLongArray serving = new AtomicLongArray(2 * WORD);

    /** The worker's, once it may be asleep with others to wake it; written by itself. */
    private volatile @Nullable Thread thread;

    // Of this worker's thread alone.
    private boolean nonBlocking;
    private int lonely;
    private int needed = FEWEST;
    private int served;
    private long ended = System.nanoTime();

    Poller(Polling polling, int device) {
        this.polling = polling;
        this.device = device;
        polling.join(this);
    }

    /** Waits for a request and reads it: what read(2) returns, with its errno. Called by the one thread of the worker. */
    long read(long address, long capacity) {
        if (!nonBlocking && polling.isTurnOf(this)) {
            polling.awaitOthers(this);
            block(false);
        }
        if (polling.isTurnOf(this)) {
            long got = poll(address, capacity);
            if (got > 0) {
                return got;
            }
            giveUp(); // whatever the reason is: the others are to find it, too
            if (got == 0 || Native.errno() != Errno.EAGAIN) {
                return got;
            }
        }
        if (nonBlocking) {
            block(true);
        }
        polling.standBack(this);
        return LIBC.read(device, address, capacity);
    }

    private long poll(long address, long capacity) {
        long got = LIBC.read(device, address, capacity);
        long begun = System.nanoTime();
        while (got < 0 && Native.errno() == Errno.EAGAIN && System.nanoTime() - begun < Polling.PATIENCE_NANOS) {
            for (int i = 0; i < 8; i++) {
                Thread.onSpinWait();
            }
            if (!polling.isTurnOf(this)) {
                return got;
            }
            got = LIBC.read(device, address, capacity);
        }
        return got;
    }

    /**
     * Notes that a request is about to be served.
     *
     * @param quick whether it can be expected not to take long
     */
    void begin(boolean quick, long now) {
        serving.setRelease(WORD, now);
        boolean waited = now - ended > BUSY_NANOS && now - ended < SLOW_NANOS;
        if (nonBlocking) {
            served++;
            if (!quick || served >= LONGEST) {
                giveUp();
            }
        } else if (quick && waited && polling.isAlone(this)) {
            lonely++;
        } else {
            lonely = 0;
        }
    }

    /** Notes that it is done, before its reply is sent. */
    void end(long now) {
        serving.setRelease(WORD, 0);
        ended = now;
        if (lonely >= needed && polling.begin(this)) {
            lonely = 0;
            served = 0;
        }
    }

    /** Takes part no more: its worker has ended. */
    void leave() {
        polling.forbid();
    }

    private void giveUp() {
        if (polling.isTurnOf(this)) {
            needed = served >= USEFUL ? FEWEST : Math.min(2 * needed, MOST);
            polling.end(this);
        }
    }

    private void block(boolean blocks) {
        LIBC.fcntl(device, Native.F_SETFL, blocks ? 0 : Native.O_NONBLOCK);
        nonBlocking = !blocks;
    }

    boolean isServing() {
        return serving.getAcquire(WORD) != 0;
    }

    /** Whether it has been serving one request for so long. */
    boolean isHeldUp(long nanos) {
        long begun = serving.getAcquire(WORD);
        return begun != 0 && System.nanoTime() - begun > nanos;
    }

    /** Whoever ends a turn from now on wakes this worker's thread, which calls this. */
    void canBeWoken() {
        thread = Thread.currentThread();
    }

    void sleep() {
        LockSupport.park(this);
    }

    void sleep(long nanos) {
        LockSupport.parkNanos(this, nanos);
    }

    void wake() {
        LockSupport.unpark(thread);
    }
}
