package io.qfuse.qcow2.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.lang.management.ManagementFactory;
import java.time.Duration;
import org.junit.jupiter.api.function.Executable;

/**
 * The bound on what any damage may cost: five seconds of one processor, or a minute on the clock for what waits instead. The
 * clock alone would measure what else the machine is doing.
 */
public final class BoundedTime {

    private static final Duration MOST = Duration.ofSeconds(5);
    private static final Duration HANGS = Duration.ofMinutes(1);

    private BoundedTime() {}

    /** Runs in a thread of its own; fails where the bound is passed. */
    public static void run(Executable work) {
        assertTimeoutPreemptively(HANGS, () -> {
            work.execute();
            long took = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
            assertThat(Duration.ofNanos(took)).isLessThan(MOST);
        });
    }
}
