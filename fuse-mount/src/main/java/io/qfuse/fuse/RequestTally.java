package io.qfuse.fuse;

import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.HdrHistogram.Histogram;

/**
 * The requests that one thread has served: how many of each kind, how long they took, and how many bytes they moved.
 *
 * <p>One thread writes, any number read beside it. No request waits or makes an object for it: a histogram is made with the first
 * request of its kind, and takes 24 KiB. Its cells are plain words that only the writer changes, each read whole; the
 * release of the sums behind them publishes them, so that a reader who takes the sums first sees no fewer requests
 * than bytes. No two threads' words share a line of the processor's cache.
 */
public final class RequestTally {

    /** Times are told apart by this and by a hundredth of their length. */
    private static final long FINEST_NANOS = 64;

    /** What took longer counts as this. */
    static final long LONGEST_NANOS = 60_000_000_000L;

    private static final int SIGNIFICANT_DIGITS = 2;
    private static final int KINDS = RequestKind.values().length;
    private static final int LINE = 16;
    private static final int SUMS = 2;

    /** Bytes and failures of each kind, with a line to spare at either end. */
    private final AtomicLongArray sums = new AtomicLongArray(LINE + KINDS * SUMS + LINE);

    private final AtomicReferenceArray<Histogram> latencies = new AtomicReferenceArray<>(KINDS);

    RequestTally() {}

    /** What the tallies of all threads come to. */
    record Sum(Histogram latencies, long bytes, long failed) {}

    /** Counts a request that was done; called by the thread that the tally belongs to. */
    public void served(RequestKind kind, long nanos, long bytes) {
        record(kind, nanos);
        add(bytesOf(kind), bytes);
    }

    /** Counts a request that was answered with an error; called by the thread that the tally belongs to. */
    public void failed(RequestKind kind, long nanos) {
        record(kind, nanos);
        add(bytesOf(kind) + 1, 1);
    }

    private void record(RequestKind kind, long nanos) {
        Histogram histogram = latencies.getPlain(index(kind));
        if (histogram == null) {
            try {
                histogram = empty();
            } catch (OutOfMemoryError e) {
                return; // the client waits for its answer, which takes none
            }
            latencies.setRelease(index(kind), histogram);
        }
        histogram.recordValue(Math.max(0, Math.min(nanos, LONGEST_NANOS)));
    }

    private void add(int sum, long more) {
        sums.setRelease(sum, sums.getPlain(sum) + more);
    }

    private static int bytesOf(RequestKind kind) {
        return LINE + index(kind) * SUMS;
    }

    @SuppressWarnings("EnumOrdinal") // these numbers live and end with the process
    private static int index(RequestKind kind) {
        return kind.ordinal();
    }

    private static Histogram empty() {
        return new Histogram(FINEST_NANOS, LONGEST_NANOS, SIGNIFICANT_DIGITS);
    }

    /** The requests of one kind; may be called by any thread. */
    static Sum sum(Iterable<RequestTally> tallies, RequestKind kind) {
        Histogram all = empty();
        long bytes = 0;
        long failed = 0;
        for (RequestTally tally : tallies) {
            bytes += tally.sums.getAcquire(bytesOf(kind));
            failed += tally.sums.getAcquire(bytesOf(kind) + 1);
            Histogram histogram = tally.latencies.getAcquire(index(kind));
            if (histogram != null) {
                all.add(histogram);
            }
        }
        return new Sum(all, bytes, failed);
    }
}
