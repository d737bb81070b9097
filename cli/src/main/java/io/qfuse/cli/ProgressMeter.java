package io.qfuse.cli;

import io.qfuse.qcow2.Sizes;
import io.qfuse.qcow2.transfer.Progress;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

/**
 * Tells on a stream how far a work has come, from half a second after its beginning on, by a thread of its own. What is told last is
 * told at the close.
 */
final class ProgressMeter implements Progress, AutoCloseable {

    /** How it is told. */
    enum Style {
        /** Not at all. */
        NONE,
        /** A line that changes. */
        LINE,
        /** An object a line. */
        JSON
    }

    private static final long PERIOD_MILLIS = 500;

    /** Puts the cursor to the start of the line and deletes the line. */
    private static final String AGAIN = "\r\033[K";

    private final PrintWriter out;
    private final Style style;
    private final LongAdder done = new LongAdder();
    private long total;
    private long begun;
    private boolean shown; // guarded by this
    private boolean closed; // guarded by this

    ProgressMeter(PrintWriter out, Style style) {
        this.out = out;
        this.style = style;
    }

    @Override
    public void begin(long bytes) {
        total = bytes;
        begun = System.nanoTime();
        if (style != Style.NONE) {
            Thread teller = new Thread(this::tell, "progress");
            teller.setDaemon(true);
            teller.start();
        }
    }

    @Override
    public void advance(long bytes) {
        done.add(bytes);
    }

    private synchronized void tell() {
        try {
            long next = begun;
            while (!closed) {
                next += TimeUnit.MILLISECONDS.toNanos(PERIOD_MILLIS);
                for (long left = next - System.nanoTime(); left > 0 && !closed; left = next - System.nanoTime()) {
                    TimeUnit.NANOSECONDS.timedWait(this, left);
                }
                if (!closed) {
                    show();
                }
            }
        } catch (InterruptedException e) {
            // Nobody interrupts it; were it so, it would be quiet from here on.
        }
    }

    private void show() {
        shown = true;
        String state = text(done.sum(), total, Math.max(1, System.nanoTime() - begun));
        out.print(style == Style.JSON ? state + "\n" : AGAIN + state);
        out.flush();
    }

    /** What is told of a state. */
    String text(long bytes, long all, long nanos) {
        double rate = bytes * 1e9 / nanos;
        long left = rate > 0 ? (long) ((all - bytes) * 1e9 / rate) : -1;
        if (style == Style.JSON) {
            return String.format(
                    Locale.ROOT,
                    "{\"done\":%d,\"total\":%d,\"elapsed_ns\":%d,\"bytes_per_second\":%d%s}",
                    bytes,
                    all,
                    nanos,
                    (long) rate,
                    left < 0 ? "" : ",\"left_ns\":" + left);
        }
        return String.format(
                Locale.ROOT,
                "%3d %%  %s of %s, %s/s%s",
                all == 0 ? 100 : (int) (bytes * 100.0 / all),
                Sizes.format(bytes),
                Sizes.format(all),
                Sizes.format((long) rate),
                left < 0 || bytes == all ? "" : ", " + duration(left) + " left");
    }

    private static String duration(long nanos) {
        long seconds = TimeUnit.NANOSECONDS.toSeconds(nanos) + 1;
        return seconds < 60
                ? seconds + " s"
                : seconds < 3600
                        ? String.format(Locale.ROOT, "%d:%02d min", seconds / 60, seconds % 60)
                        : String.format(Locale.ROOT, "%d:%02d h", seconds / 3600, seconds / 60 % 60);
    }

    /** Ends the telling; where anything was told, the state at the end is, too. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
            if (shown) {
                show();
                if (style == Style.LINE) {
                    out.print("\n");
                    out.flush();
                }
            }
        }
    }
}
