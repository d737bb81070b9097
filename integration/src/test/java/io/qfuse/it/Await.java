package io.qfuse.it;

import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;

/** Waits for what other processes do. */
final class Await {

    private static final long SECONDS = 60;

    private Await() {}

    /** Returns as soon as the condition holds; fails the test where it does not within a minute. */
    static void until(String what, Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (!condition.call()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("not within " + SECONDS + " s: " + what);
            }
            Thread.sleep(5);
        }
    }
}
