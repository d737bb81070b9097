package io.qfuse.it.bench;

import io.qfuse.cache.CacheBudget;
import io.qfuse.cache.Slice;
import io.qfuse.cache.SliceCache;
import java.io.IOException;
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
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** A look at a slice: of few that are all in the front table, of as many as the cache holds, and of more. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class SliceCacheBenchmark {

    private static final int SLICE = 4096;
    private static final int BUDGET = 32 << 20;

    /** How many slices are looked at, at random; the cache holds some 8000. */
    @Param({"64", "4096", "65536"})
    private int slices;

    private final SliceCache cache = new SliceCache(new CacheBudget(BUDGET), (offset, into) -> {}, SLICE);

    /** Sees each slice once. */
    @Setup
    public void fill() throws IOException {
        for (int i = 0; i < slices; i++) {
            var unused = cache.get((long) i * SLICE, 0);
        }
    }

    /** One that is loaded, where it is not there, from a store that takes no time. */
    @Benchmark
    public Slice get() throws IOException {
        return cache.get((long) ThreadLocalRandom.current().nextInt(slices) * SLICE, 0);
    }
}
