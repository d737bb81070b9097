package io.qfuse.it.bench;

import io.qfuse.qcow2.map.RangeLock;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** A hold and its end, of clusters at random in a disk of 64 GiB. With several threads ({@code -t}) it shows what they cost each other. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class RangeLockBenchmark {

    private static final int CLUSTER_BITS = 16;
    private static final int CLUSTERS = 1 << 20;

    /** Clusters of one hold: those of a 4 KiB request, and those of one of 1 MiB. */
    @Param({"1", "16"})
    private int held;

    private final RangeLock lock = new RangeLock(CLUSTER_BITS);

    /** As reads and writes in place. */
    @Benchmark
    public void shared() {
        int first = ThreadLocalRandom.current().nextInt(CLUSTERS);
        lock.lockShared(first, first + held - 1);
        lock.unlockShared(first, first + held - 1);
    }

    /** As what changes a mapping. */
    @Benchmark
    public void exclusive() {
        int first = ThreadLocalRandom.current().nextInt(CLUSTERS);
        lock.lockExclusive(first, first + held - 1);
        lock.unlockExclusive(first, first + held - 1);
    }
}
