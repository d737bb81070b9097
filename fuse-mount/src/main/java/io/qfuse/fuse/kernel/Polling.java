package io.qfuse.fuse.kernel;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Which worker of a session polls for requests, if any does.
 *
 * <h2>What for</h2>
 *
 * A client that sends one request after the other waits each time for a sleeping worker to wake up, which takes longer
 * than the rest of the request together. A worker that asks the kernel again and again instead is there at once. It
 * burns a processor for that, so it is done only as long as it pays: while requests come one at a time, are small, and
 * follow each other within a fraction of a millisecond.
 *
 * <h2>Rules</h2>
 *
 * <ol>
 *   <li>At most one worker has the turn to poll.
 *   <li>While one polls, the others do not sleep in a read: the kernel would wake one for each request, which finds nothing
 *       and is in the poller's and the client's way. Each stands back once it has served a request, and whoever has taken
 *       the turn leaves the requests to them until all have, or one of them is held up by what it serves, or some
 *       milliseconds have passed.
 *   <li>Whoever polls serves what it gets alone, so it gives the turn up before it serves anything that may take long,
 *       when none comes within {@link #PATIENCE_NANOS}, and after a few thousand requests: more than one may be under way
 *       by then, which a poller cannot tell.
 *   <li>One of those who stand back watches: a request that holds the poller up all the same, such as a read that waits for the
 *       host's disk, costs it the turn after {@link #WATCH_NANOS} or twice that.
 *   <li>The end of a turn wakes all who stand back, and its holder where that one still waits for them. A worker that ends
 *       ends the turn, too, and there is no other: it will not stand back any more.
 * </ol>
 *
 * <p>How a worker comes to want the turn is {@link Poller}'s business.
 */
final class Polling {

    /** How long the poller asks for a request before it sleeps like everybody. */
    static final long PATIENCE_NANOS = 250_000;

    private static final long WATCH_NANOS = 1_000_000;

    /** A client that goes on keeps nobody waiting for more looks than this, and one that has stopped costs no more. */
    private static final int MOST_LOOKS = 10;

    /** Who has the turn; null where all read as usual. */
    private final AtomicReference<Poller> turn = new AtomicReference<>();
    /** The one of those who stand back that looks whether the holder of the turn is held up. */
    private final AtomicReference<Poller> watch = new AtomicReference<>();
    /** How many stand back. */
    private final AtomicInteger standing = new AtomicInteger();

    /** All of the session; never changed in place. */
    private volatile Poller[] pollers = {};

    /** A client and a poller need a processor each. */
    private volatile boolean allowed = Runtime.getRuntime().availableProcessors() > 1;

    /** Takes part. */
    synchronized void join(Poller poller) {
        Poller[] more = Arrays.copyOf(pollers, pollers.length + 1);
        more[more.length - 1] = poller;
        pollers = more;
    }

    /** Nobody polls from now on: a worker has ended, or shares its descriptor, which would be non-blocking for all. */
    void forbid() {
        allowed = false;
        Poller holder = turn.get();
        if (holder != null) {
            end(holder);
        }
    }

    /** Takes the turn, where nobody has it. */
    boolean begin(Poller poller) {
        if (!allowed || !turn.compareAndSet(null, poller)) {
            return false;
        }
        if (!allowed) { // forbidden since: that may have found no turn to end
            end(poller);
        }
        return true;
    }

    /**
     * Returns when all others stand back, or the turn is over, as it is where one of them is held up, or they do not come for
     * lack of requests.
     */
    void awaitOthers(Poller poller) {
        poller.canBeWoken();
        for (int looks = 0; isTurnOf(poller) && standing.get() < pollers.length - 1; looks++) {
            if (looks == MOST_LOOKS || isAnyHeldUp()) {
                end(poller);
            } else {
                poller.sleep(WATCH_NANOS);
            }
        }
    }

    private boolean isAnyHeldUp() {
        for (Poller poller : pollers) {
            if (poller.isHeldUp(WATCH_NANOS)) {
                return true;
            }
        }
        return false;
    }

    /** Whether this one has the turn. */
    boolean isTurnOf(Poller poller) {
        return turn.get() == poller;
    }

    /** Ends a turn, unless it is over already; those who stand back read again. */
    void end(Poller poller) {
        if (turn.compareAndSet(poller, null)) {
            for (Poller other : pollers) {
                other.wake();
            }
        }
    }

    /** Returns when nobody has the turn. */
    void standBack(Poller poller) {
        if (turn.get() == null) {
            return;
        }
        poller.canBeWoken();
        boolean last = standing.incrementAndGet() >= pollers.length - 1;
        for (Poller other = turn.get(); other != null; other = turn.get()) {
            if (last) {
                last = false;
                other.wake();
            }
            if (!watch.compareAndSet(null, poller) && watch.get() != poller) {
                poller.sleep();
            } else if (other.isHeldUp(WATCH_NANOS)) {
                end(other);
            } else {
                poller.sleep(WATCH_NANOS);
            }
        }
        standing.decrementAndGet();
        watch.compareAndSet(poller, null);
    }

    /** Whether nobody but this one is serving. */
    boolean isAlone(Poller poller) {
        for (Poller other : pollers) {
            if (other != poller && other.isServing()) {
                return false;
            }
        }
        return true;
    }
}
