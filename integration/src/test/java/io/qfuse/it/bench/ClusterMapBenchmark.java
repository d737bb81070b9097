package io.qfuse.it.bench;

import io.qfuse.cache.CacheBudget;
import io.qfuse.qcow2.CreateOptions;
import io.qfuse.qcow2.CreateOptions.Compression;
import io.qfuse.qcow2.CreateOptions.Preallocation;
import io.qfuse.qcow2.Images;
import io.qfuse.qcow2.OpenOptions;
import io.qfuse.qcow2.alloc.ClusterAllocator;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.guard.Health;
import io.qfuse.qcow2.guard.MetadataClusters;
import io.qfuse.qcow2.guard.MetadataScan;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeHostFile;
import io.qfuse.qcow2.map.ClusterMap;
import io.qfuse.qcow2.map.Mapping;
import io.qfuse.qcow2.table.Tables;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** From a guest offset to a host offset, at random in an image whose clusters are all mapped. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class ClusterMapBenchmark {

    private static final int PAGE = 4096;
    private static final int CLUSTER = 64 << 10;
    private static final int MOST = 1 << 20;

    /** GiB of the disk: its L2 tables take an eighth of a MiB for each, and fit into the cache, or not. */
    @Param({"1", "1024"})
    private int gibibytes;

    @SuppressWarnings("NullAway.Init")
    private Path directory;

    @SuppressWarnings("NullAway.Init")
    private HostFile file;

    @SuppressWarnings("NullAway.Init")
    private ClusterMap map;

    /** Makes the image, which takes room for its tables alone, and looks at each of its L2 slices once. */
    @Setup
    public void open() throws IOException {
        directory = Files.createTempDirectory("qfuse-jmh");
        Path path = directory.resolve("disk.qcow2");
        Images.create(
                path,
                new CreateOptions(
                        size(), CLUSTER, 3, 16, false, false, Compression.ZLIB, Preallocation.METADATA, null, false));
        file = NativeHostFile.open(path, false);
        Header header = HeaderReader.read(file);
        Health health = new Health(file, header, false);
        MetadataClusters metadata = MetadataScan.none(header, health);
        CacheBudget budget = new CacheBudget(OpenOptions.DEFAULT_CACHE_BYTES);
        Tables tables = new Tables(file, header.geometry(), budget, health, metadata);
        ClusterAllocator allocator = new ClusterAllocator(file, tables, header, health, metadata);
        map = new ClusterMap(file, tables, allocator, health, metadata, header);
        for (long guest = 0; guest < size(); guest += (long) CLUSTER * tables.sliceSize() / Tables.ENTRY) {
            if (map.stored(guest, PAGE, false) < 0) {
                throw new IllegalStateException("nothing is stored at " + guest);
            }
        }
    }

    /** Removes the image. */
    @TearDown
    public void close() throws IOException {
        file.close();
        Files.delete(directory.resolve("disk.qcow2"));
        Files.delete(directory);
    }

    /** What a request within a cluster asks. */
    @Benchmark
    public long stored() throws IOException {
        return map.stored(anywhere(), PAGE, true);
    }

    /** The run of up to 1 MiB. */
    @Benchmark
    public Mapping lookup() throws IOException {
        return map.lookup(anywhere(), MOST);
    }

    private long anywhere() {
        return ThreadLocalRandom.current().nextLong(size() / PAGE) * PAGE;
    }

    private long size() {
        return (long) gibibytes << 30;
    }
}
