package io.qfuse.it.bench;

import io.qfuse.qcow2.CreateOptions;
import io.qfuse.qcow2.CreateOptions.Compression;
import io.qfuse.qcow2.CreateOptions.Preallocation;
import io.qfuse.qcow2.DiskMap;
import io.qfuse.qcow2.Images;
import io.qfuse.qcow2.OpenOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** All runs of a disk of 100 GiB whose clusters of 64 KiB are all mapped, the image being opened each time. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class DiskMapBenchmark {

    private static final long SIZE = 100L << 30;
    private static final int CLUSTER = 64 << 10;

    @SuppressWarnings("NullAway.Init")
    private Path directory;

    @SuppressWarnings("NullAway.Init")
    private Path path;

    private long runs;

    /** Makes the image, which takes room for its tables alone. */
    @Setup
    public void create() throws IOException {
        directory = Files.createTempDirectory("qfuse-jmh");
        path = directory.resolve("disk.qcow2");
        Images.create(
                path,
                new CreateOptions(
                        SIZE, CLUSTER, 3, 16, false, false, Compression.ZLIB, Preallocation.METADATA, null, false));
    }

    /** Removes the image. */
    @TearDown
    public void delete() throws IOException {
        Files.delete(path);
        Files.delete(directory);
    }

    /** Divide the size by the time: 10 milliseconds are 10 TiB in a second. */
    @Benchmark
    public long all() throws IOException {
        try (DiskMap map = Images.map(path, OpenOptions.readOnly())) {
            map.walk(0, map.size(), (start, length, depth, flags, host) -> runs++);
        }
        return runs;
    }
}
