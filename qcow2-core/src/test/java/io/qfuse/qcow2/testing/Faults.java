package io.qfuse.qcow2.testing;

import io.qfuse.qcow2.io.HostIoException;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Which calls of the files of one image fail, and whether anybody was told. Calls are numbered from 0 over all
 * {@linkplain FaultyFile files} that share the faults. For one thread.
 */
public final class Faults {

    /** Input/output error. */
    public static final int EIO = 5;

    /** No space left on device. */
    public static final int ENOSPC = 28;

    private static final AtomicInteger INJECTED = new AtomicInteger();

    private final int first;
    private final int count;
    private final int errno;
    private int calls;
    private int failures;
    private boolean suspended;
    private boolean syncFailed;
    private @Nullable String untold;

    /**
     * Lets some calls fail in a row.
     *
     * @param first the number of the first
     * @param count how many
     * @param errno what they fail with
     */
    public Faults(int first, int count, int errno) {
        this.first = first;
        this.count = count;
        this.errno = errno;
    }

    /** How many calls failed in this process. */
    public static int injected() {
        return INJECTED.get();
    }

    /** Counts a call; whether it is to fail. */
    boolean hit() {
        return !suspended && calls++ >= first && calls <= (long) first + count;
    }

    /** How much is done of a call that fails: nothing, half in whole sectors, or all. */
    long done(long length) {
        return switch (calls % 3) {
            case 0 -> 0;
            case 1 -> length / 2 & -512;
            default -> length;
        };
    }

    HostIoException failure(Object path, String call) {
        INJECTED.incrementAndGet();
        failures++;
        untold = call;
        syncFailed |= call.equals("sync");
        return new HostIoException(path, call, errno, "injected");
    }

    /** Calls are neither counted nor fail while this is so. */
    public void suspend(boolean suspend) {
        suspended = suspend;
    }

    /** The calls so far. */
    public int calls() {
        return calls;
    }

    /** How many of them failed. */
    public int failures() {
        return failures;
    }

    /** What they fail with. */
    public int errno() {
        return errno;
    }

    /** Whether a sync was among them. */
    public boolean syncFailed() {
        return syncFailed;
    }

    /** The last call that failed, if {@link #tell} was not called since. */
    public @Nullable String untold() {
        return untold;
    }

    /** Takes note that somebody was told. */
    public void tell() {
        untold = null;
    }

    @Override
    public String toString() {
        return "calls " + first + " to " + ((long) first + count - 1) + " fail with errno " + errno;
    }
}
