package io.qfuse.qcow2.bitmap;

import java.util.concurrent.atomic.AtomicLong;

/** How much memory all bitmaps of an image may take together. Thread-safe. */
final class BitmapMemory {

    private final AtomicLong left;

    BitmapMemory(long bytes) {
        left = new AtomicLong(bytes);
    }

    /** Takes so many bytes; takes nothing and returns false where there are fewer. */
    boolean take(long bytes) {
        if (left.addAndGet(-bytes) < 0) {
            left.addAndGet(bytes);
            return false;
        }
        return true;
    }

    /** Gives back what was taken. */
    void give(long bytes) {
        left.addAndGet(bytes);
    }
}
