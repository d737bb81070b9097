package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.CompressedImage;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.ImageTally;
import io.qfuse.qcow2.testing.ImageTally.Use;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Images whose clusters were compressed by hand: whole and partial reads, damage, overwriting, many threads. */
final class CompressedClustersTest {

    private static final int SIZE = (4 << 20) - 3 * 512;
    private static final ImageKind KIND = new ImageKind(3, 12, 4, false);
    private static final int CLUSTER = KIND.clusterSize();
    private static final Duration DEADLOCK = Duration.ofMinutes(2);

    static List<ImageKind> kinds() {
        return List.of(
                new ImageKind(3, 9, 4, false),
                new ImageKind(2, 12, 4, false),
                new ImageKind(3, 16, 4, false),
                new ImageKind(3, 21, 4, false));
    }

    /** Text that compresses, with some noise that does not, cluster by cluster, and some zeroes. */
    private static byte[] content(int clusterSize) {
        Random random = new Random(clusterSize);
        byte[] bytes = new byte[SIZE];
        for (int start = 0; start < SIZE; start += clusterSize) {
            int letters = random.nextInt(5) == 0 ? 256 : 9;
            for (int i = start; i < Math.min(SIZE, start + clusterSize); i++) {
                bytes[i] = (byte) random.nextInt(letters);
            }
        }
        return bytes;
    }

    private static MemoryHostFile image(ImageKind kind, byte[] content) throws IOException {
        MemoryHostFile image = kind.create(SIZE);
        try (Disk disk = open(image);
                NativeBuffer buffer = NativeBuffer.allocate(SIZE)) {
            NativeBuffer.put(buffer.address(), content, 0, SIZE);
            disk.write(0, buffer.address(), SIZE);
        }
        CompressedImage.compress(image, kind);
        return image;
    }

    private static Disk open(MemoryHostFile image) throws IOException {
        return TestDisk.open(new KeptOpen(image), new MemoryHostFile("no base"));
    }

    /** Where the entry of a cluster lies: the first tables follow each other as the clusters do. */
    private static long entryOf(MemoryHostFile image, int cluster) throws IOException {
        ImageTally tally = new ImageTally(image);
        int left = cluster;
        for (long table = 0; ; table += CLUSTER) {
            if (tally.use(table) == Use.L2) {
                if (left < CLUSTER / 8) {
                    return table + 8L * left;
                }
                left -= CLUSTER / 8;
            }
        }
    }

    private static long entry(MemoryHostFile image, int cluster) throws IOException {
        return ByteBuffer.wrap(image.bytes(entryOf(image, cluster), 8)).getLong();
    }

    private static void requireBytes(Disk disk, byte[] model, int offset, int length, NativeBuffer buffer)
            throws IOException {
        assertThat(Arrays.mismatch(
                        TestDisk.read(disk, offset, length, buffer), 0, length, model, offset, offset + length))
                .as("%d bytes at %d", length, offset)
                .isEqualTo(-1);
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void reads_of_any_alignment_give_the_bytes(ImageKind kind) throws IOException {
        byte[] content = content(kind.clusterSize());
        Random random = new Random(1);
        try (Disk disk = open(image(kind, content));
                NativeBuffer buffer = NativeBuffer.allocate(SIZE)) {
            requireBytes(disk, content, 0, SIZE, buffer);
            for (int i = 0; i < 40; i++) {
                int length = 1 + random.nextInt(random.nextBoolean() ? SIZE : 9000);
                requireBytes(disk, content, random.nextInt(SIZE - length + 1), length, buffer);
            }
        }
    }

    @Test
    void a_last_stream_whose_sector_lies_behind_the_end_of_the_file_is_read() throws IOException {
        byte[] content = new byte[SIZE];
        Arrays.fill(content, (byte) 7);
        MemoryHostFile image = image(KIND, content);
        int last = SIZE / CLUSTER;
        byte[] tail = Arrays.copyOf(Arrays.copyOfRange(content, last * CLUSTER, SIZE), CLUSTER);
        long stream = L2Entry.streamOffset(entry(image, last), KIND.clusterBits());
        image.truncate(stream + CompressedImage.deflate(tail).length);
        try (Disk disk = open(image);
                NativeBuffer buffer = NativeBuffer.allocate(SIZE)) {
            requireBytes(disk, content, 0, SIZE, buffer);
        }
    }

    @Test
    void a_broken_stream_in_the_middle_of_a_run_leaves_its_neighbours_readable() throws IOException {
        byte[] content = new byte[SIZE];
        Arrays.fill(content, (byte) 7);
        MemoryHostFile image = image(KIND, content);
        int broken = 20;
        long stream = L2Entry.streamOffset(entry(image, broken), KIND.clusterBits());
        byte[] nonsense = new byte[16];
        Arrays.fill(nonsense, (byte) 0xff);
        image.write(stream, nonsense, 0, nonsense.length);
        try (Disk disk = open(image);
                NativeBuffer buffer = NativeBuffer.allocate(SIZE)) {
            for (int round = 0; round < 10; round++) {
                assertThatThrownBy(() -> disk.read(10L * CLUSTER, buffer.address(), 30 * CLUSTER))
                        .isInstanceOf(Qcow2Exception.class)
                        .hasMessageContainingAll("image.qcow2", "compressed cluster", Long.toHexString(stream));
                requireBytes(disk, content, 0, broken * CLUSTER, buffer);
                requireBytes(disk, content, (broken + 1) * CLUSTER, 100 * CLUSTER, buffer);
            }
            assertThat(disk.writable()).isTrue();
            disk.writeZeroes((long) broken * CLUSTER, CLUSTER, true);
            Arrays.fill(content, broken * CLUSTER, (broken + 1) * CLUSTER, (byte) 0);
            requireBytes(disk, content, 0, SIZE, buffer);
        }
    }

    @Test
    void an_entry_that_is_made_again_for_another_stream_gives_the_new_bytes() throws IOException {
        byte[] content = new byte[SIZE];
        Arrays.fill(content, (byte) 7);
        MemoryHostFile image = image(KIND, content);
        long shared = entry(image, 3);
        image.write(entryOf(image, 900), ByteBuffer.allocate(8).putLong(shared).array(), 0, 8);
        byte[] other = new byte[CLUSTER];
        Arrays.fill(other, (byte) 9);
        byte[] stream = CompressedImage.deflate(other);
        try (Disk disk = open(image);
                NativeBuffer buffer = NativeBuffer.allocate(CLUSTER)) {
            requireBytes(disk, content, 3 * CLUSTER, 100, buffer); // it is in the cache now
            disk.writeZeroes(3L * CLUSTER, CLUSTER, true);
            image.write(L2Entry.streamOffset(shared, KIND.clusterBits()), stream, 0, stream.length);
            // Cluster 900 stands for what is compressed later: an entry like the old one, for what lies there now.
            assertThat(TestDisk.read(disk, 900L * CLUSTER, CLUSTER, buffer)).isEqualTo(other);
            assertThat(TestDisk.read(disk, 900L * CLUSTER, 100, buffer)).isEqualTo(Arrays.copyOf(other, 100));
        }
    }

    @Test
    void small_reads_decompress_a_cluster_once_and_a_scan_does_not_push_it_out() throws IOException {
        byte[] content = content(CLUSTER);
        Arrays.fill(content, 0, CLUSTER, (byte) 7);
        MemoryHostFile image = image(KIND, content);
        long stream = L2Entry.streamOffset(entry(image, 0), KIND.clusterBits());
        AtomicInteger reads = new AtomicInteger();
        ForwardingFile watched = new KeptOpen(image) {
            @Override
            public void read(long offset, long address, int length) throws IOException {
                reads.addAndGet(offset == stream ? 1 : 0);
                super.read(offset, address, length);
            }
        };
        try (Disk disk = TestDisk.open(watched, new MemoryHostFile("no base"));
                NativeBuffer buffer = NativeBuffer.allocate(SIZE)) {
            for (int at = 0; at < CLUSTER; at += 512) {
                requireBytes(disk, content, at, 512, buffer);
            }
            requireBytes(disk, content, 0, SIZE / CLUSTER * CLUSTER, buffer);
            requireBytes(disk, content, 0, 512, buffer);
            assertThat(reads).hasValue(1);
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void readers_and_writers_at_once_see_what_was_written(ImageKind kind) throws IOException {
        byte[] model = content(kind.clusterSize());
        MemoryHostFile image = image(kind, model);
        int threads = 8;
        int chunk = 3 * 4096 + 512;
        try (Disk disk = open(image)) {
            CyclicBarrier start = new CyclicBarrier(threads);
            together(threads, number -> {
                start.await();
                Random random = new Random(number);
                try (NativeBuffer buffer = NativeBuffer.allocate(SIZE)) {
                    for (int i = 0; i < 30; i++) {
                        use(disk, model, chunk, number, threads, random, buffer);
                    }
                }
            });
            disk.flush();
            try (NativeBuffer buffer = NativeBuffer.allocate(SIZE)) {
                requireBytes(disk, model, 0, SIZE, buffer);
            }
        }
        ImageTally tally = new ImageTally(image);
        assertThat(tally.corruptions()).as(kind.toString()).isEmpty();
        assertThat(tally.leaks()).as(kind.toString()).isZero();
    }

    /** Changes one of this thread's chunks, or reads any range and looks at this thread's bytes in it. */
    private static void use(
            Disk disk, byte[] model, int chunk, int number, int threads, Random random, NativeBuffer buffer)
            throws IOException {
        int offset = (number + threads * random.nextInt(SIZE / chunk / threads)) * chunk;
        switch (random.nextInt(8)) {
            case 0, 1 -> {
                byte[] bytes = new byte[1 + random.nextInt(chunk)];
                random.nextBytes(bytes);
                NativeBuffer.put(buffer.address(), bytes, 0, bytes.length);
                disk.write(offset, buffer.address(), bytes.length);
                System.arraycopy(bytes, 0, model, offset, bytes.length);
            }
            case 2 -> {
                disk.writeZeroes(offset, chunk, true);
                Arrays.fill(model, offset, offset + chunk, (byte) 0);
            }
            case 3 -> disk.flush();
            default -> {
                int length = 1 + random.nextInt(random.nextBoolean() ? 1 << 20 : 5000);
                int from = random.nextInt(SIZE - length + 1);
                byte[] read = TestDisk.read(disk, from, length, buffer);
                for (int i = 0; i < length; i++) {
                    if ((from + i) / chunk % threads == number && read[i] != model[from + i]) {
                        throw new AssertionError("seed " + number + ": byte " + (from + i) + " is " + read[i] + ", not "
                                + model[from + i]);
                    }
                }
            }
        }
    }

    @Test
    void many_threads_at_once_are_helped_by_few_and_none_waits_for_ever() throws IOException {
        byte[] content = content(CLUSTER);
        try (Disk disk = open(image(KIND, content))) {
            together(32, number -> {
                try (NativeBuffer buffer = NativeBuffer.allocate(1 << 20)) {
                    for (int i = 0; i < 10; i++) {
                        requireBytes(disk, content, 4096 * ((number + i) % 40), 1 << 20, buffer);
                    }
                }
            });
        }
        long helpers = Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("help-"))
                .count();
        assertThat(helpers).isLessThan(Runtime.getRuntime().availableProcessors());
    }

    private interface Task {
        void run(int number) throws Exception;
    }

    private static void together(int threads, Task task) {
        assertTimeoutPreemptively(DEADLOCK, () -> {
            ExecutorService pool = Executors.newFixedThreadPool(threads);
            try {
                List<Future<?>> running = new ArrayList<>();
                for (int i = 0; i < threads; i++) {
                    int number = i;
                    running.add(pool.submit(() -> {
                        task.run(number);
                        return null;
                    }));
                }
                for (Future<?> one : running) {
                    try {
                        one.get();
                    } catch (ExecutionException e) {
                        throw new AssertionError(e.getCause());
                    }
                }
            } finally {
                pool.shutdown();
            }
        });
    }

    /** Outlives the disk. */
    private static class KeptOpen extends ForwardingFile {

        KeptOpen(MemoryHostFile file) {
            super(file);
        }

        @Override
        public void close() {}
    }
}
