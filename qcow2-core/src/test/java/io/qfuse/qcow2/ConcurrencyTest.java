package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.ImageTally;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Many threads on one disk: each sees its own bytes, and the image stays sound. */
final class ConcurrencyTest {

    private static final int SECTOR = 512;
    private static final int SIZE = 2 << 20;
    /** So few slices that each change waits for its turn in memory, and a checkpoint runs every few writes. */
    private static final long TINY_CACHE = 16 << 10;

    private static final Duration DEADLOCK = Duration.ofMinutes(2);

    static List<ImageKind> kinds() {
        return List.of(
                new ImageKind(3, 9, 6, true),
                new ImageKind(3, 12, 0, false),
                new ImageKind(2, 12, 4, true),
                new ImageKind(3, 14, 4, true, true),
                new ImageKind(3, 16, 4, true));
    }

    /** Runs all tasks at once and reports the first failure. */
    static void together(List<Callable<Void>> tasks) {
        assertTimeoutPreemptively(DEADLOCK, () -> {
            ExecutorService pool = Executors.newFixedThreadPool(tasks.size());
            try {
                List<Future<Void>> running = new ArrayList<>();
                for (Callable<Void> task : tasks) {
                    running.add(pool.submit(task));
                }
                for (Future<Void> task : running) {
                    try {
                        task.get();
                    } catch (ExecutionException e) {
                        throw new AssertionError(e.getCause());
                    }
                }
            } finally {
                pool.shutdown();
            }
        });
    }

    /** Sectors that belong to one thread, in chunks that share clusters with those of others. */
    private static final class Owner implements Callable<Void> {

        private final Disk disk;
        private final byte[] model;
        private final List<int[]> chunks = new ArrayList<>(); // first byte and length
        private final Random random;

        Owner(Disk disk, byte[] model, long seed) {
            this.disk = disk;
            this.model = model;
            this.random = new Random(seed);
        }

        @Override
        public Void call() throws IOException {
            try (NativeBuffer buffer = NativeBuffer.allocate(64 * SECTOR)) {
                for (int i = 0; i < 250; i++) {
                    int[] chunk = chunks.get(random.nextInt(chunks.size()));
                    int into = random.nextInt(chunk[1]);
                    step(chunk[0] + into, 1 + random.nextInt(chunk[1] - into), buffer);
                }
            }
            return null;
        }

        private void step(int offset, int length, NativeBuffer buffer) throws IOException {
            switch (random.nextInt(10)) {
                case 0, 1, 2, 3 -> {
                    byte[] bytes = new byte[length];
                    random.nextBytes(bytes);
                    NativeBuffer.put(buffer.address(), bytes, 0, length);
                    disk.write(offset, buffer.address(), length);
                    System.arraycopy(bytes, 0, model, offset, length);
                }
                case 4, 5 -> {
                    disk.writeZeroes(offset, length, random.nextBoolean());
                    Arrays.fill(model, offset, offset + length, (byte) 0);
                }
                case 6 -> disk.allocate(offset, length);
                case 7 -> disk.nextExtent(offset);
                default -> {
                    byte[] read = TestDisk.read(disk, offset, length, buffer);
                    assertThat(Arrays.mismatch(read, 0, length, model, offset, offset + length))
                            .as("%d bytes at %d", length, offset)
                            .isEqualTo(-1);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void threads_that_share_clusters_but_no_bytes_do_not_disturb_each_other(ImageKind kind) throws IOException {
        for (long seed = 1; seed <= 2; seed++) {
            MemoryHostFile image = kind.create(SIZE);
            MemoryHostFile base = new MemoryHostFile("base.raw");
            byte[] model = new byte[SIZE];
            if (kind.backed()) {
                byte[] below = TestDisk.baseBytes(SIZE - 3 * SECTOR);
                base.write(0, below, 0, below.length);
                System.arraycopy(below, 0, model, 0, below.length);
            }
            Random random = new Random(seed);
            try (Disk disk = TestDisk.open(new KeptOpen(image), base.copy(), TINY_CACHE)) {
                List<Owner> owners = new ArrayList<>();
                for (int i = 0; i < 6; i++) {
                    owners.add(new Owner(disk, model, seed * 100 + i));
                }
                for (int at = 0; at < SIZE; ) {
                    int length = Math.min(SIZE - at, SECTOR * (1 + random.nextInt(40)));
                    owners.get(random.nextInt(owners.size())).chunks.add(new int[] {at, length});
                    at += length;
                }
                AtomicInteger busy = new AtomicInteger(owners.size());
                List<Callable<Void>> tasks = new ArrayList<>();
                for (Owner owner : owners) {
                    tasks.add(() -> {
                        try {
                            return owner.call();
                        } finally {
                            busy.decrementAndGet();
                        }
                    });
                }
                tasks.add(() -> {
                    while (busy.get() > 0) {
                        disk.flush();
                    }
                    return null;
                });
                together(tasks);
            }
            requireClean(image, kind + ", seed " + seed);
            try (Disk disk = TestDisk.open(image, base.copy(), TINY_CACHE);
                    NativeBuffer buffer = NativeBuffer.allocate(SIZE)) {
                assertThat(TestDisk.read(disk, 0, SIZE, buffer)).isEqualTo(model);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void two_writers_to_one_new_cluster_both_survive(ImageKind kind) throws IOException {
        MemoryHostFile image = kind.create(SIZE);
        MemoryHostFile base = new MemoryHostFile("base.raw");
        byte[] below = TestDisk.baseBytes(SIZE - 3 * SECTOR);
        base.write(0, below, 0, below.length);
        int piece = kind.clusterSize() / 4;
        int rounds = Math.min(300, SIZE / kind.clusterSize());
        try (Disk disk = TestDisk.open(new KeptOpen(image), base.copy(), TINY_CACHE)) {
            CyclicBarrier start = new CyclicBarrier(2);
            List<Callable<Void>> writers = new ArrayList<>();
            for (int writer = 1; writer <= 2; writer++) {
                int number = writer;
                writers.add(() -> {
                    try (NativeBuffer buffer = NativeBuffer.allocate(piece)) {
                        for (int i = 0; i < piece; i++) {
                            NativeBuffer.put(buffer.address() + i, new byte[] {(byte) number}, 0, 1);
                        }
                        for (int round = 0; round < rounds; round++) {
                            start.await();
                            long cluster = (long) round * kind.clusterSize();
                            disk.write(cluster + (long) number * piece, buffer.address(), piece);
                        }
                    }
                    return null;
                });
            }
            together(writers);
            try (NativeBuffer buffer = NativeBuffer.allocate(kind.clusterSize())) {
                for (int round = 0; round < rounds; round++) {
                    byte[] read = TestDisk.read(disk, (long) round * kind.clusterSize(), kind.clusterSize(), buffer);
                    assertThat(read[piece]).isEqualTo((byte) 1);
                    assertThat(read[2 * piece - 1]).isEqualTo((byte) 1);
                    assertThat(read[2 * piece]).isEqualTo((byte) 2);
                    assertThat(read[3 * piece - 1]).isEqualTo((byte) 2);
                    if (kind.backed() && round + 1 < rounds) {
                        assertThat(read[0]).isEqualTo(below[round * kind.clusterSize()]);
                    }
                }
            }
        }
        requireClean(image, kind.toString());
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void a_read_beside_discards_and_reuse_never_shows_the_bytes_of_another_place(ImageKind kind) throws IOException {
        MemoryHostFile image = kind.create(SIZE);
        AtomicInteger busy = new AtomicInteger(2);
        try (Disk disk = TestDisk.open(new KeptOpen(image), new MemoryHostFile("base.raw"), TINY_CACHE)) {
            List<Callable<Void>> tasks = new ArrayList<>();
            for (int changer = 0; changer < 2; changer++) {
                Random random = new Random(changer);
                tasks.add(() -> {
                    try (NativeBuffer buffer = NativeBuffer.allocate(64 * SECTOR)) {
                        for (int i = 0; i < 500; i++) {
                            change(disk, random, buffer);
                        }
                    } finally {
                        busy.decrementAndGet();
                    }
                    return null;
                });
            }
            for (int reader = 0; reader < 2; reader++) {
                Random random = new Random(100 + reader);
                tasks.add(() -> {
                    try (NativeBuffer buffer = NativeBuffer.allocate(64 * SECTOR)) {
                        while (busy.get() > 0) {
                            requireOwnBytes(disk, random.nextInt(SIZE / SECTOR - 64), buffer);
                        }
                    }
                    return null;
                });
            }
            together(tasks);
        }
        requireClean(image, kind.toString());
    }

    private static void change(Disk disk, Random random, NativeBuffer buffer) throws IOException {
        int first = random.nextInt(SIZE / SECTOR - 64);
        int count = 1 + random.nextInt(64);
        switch (random.nextInt(5)) {
            case 0, 1 -> {
                for (int i = 0; i < count * SECTOR; i += 8) {
                    NativeBuffer.putLong(buffer.address() + i, first + i / SECTOR + 1L);
                }
                disk.write((long) first * SECTOR, buffer.address(), count * SECTOR);
            }
            case 2, 3 -> disk.writeZeroes((long) first * SECTOR, (long) count * SECTOR, true);
            default -> disk.flush();
        }
    }

    private static void requireOwnBytes(Disk disk, int first, NativeBuffer buffer) throws IOException {
        disk.read((long) first * SECTOR, buffer.address(), 64 * SECTOR);
        for (int i = 0; i < 64 * SECTOR; i += 8) {
            long word = NativeBuffer.getLong(buffer.address() + i);
            if (word != 0 && word != first + i / SECTOR + 1L) {
                throw new AssertionError("sector " + (first + i / SECTOR) + " shows " + Long.toHexString(word));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void an_entry_that_is_changing_never_passes_for_a_damaged_one(ImageKind kind) throws IOException {
        MemoryHostFile image = kind.create(SIZE);
        int cluster = kind.clusterSize();
        try (Disk disk = TestDisk.open(new KeptOpen(image), new MemoryHostFile("base.raw"))) {
            List<Callable<Void>> tasks = new ArrayList<>();
            for (int thread = 0; thread < 4; thread++) {
                boolean writes = thread % 2 == 0;
                tasks.add(() -> {
                    try (NativeBuffer sector = NativeBuffer.allocate(cluster)) {
                        for (int i = 0; i < 4000; i++) {
                            if (writes) {
                                disk.write(0, sector.address(), cluster);
                            } else {
                                disk.writeZeroes(0, cluster, true);
                                disk.nextExtent(0);
                            }
                        }
                    }
                    return null;
                });
            }
            together(tasks);
            assertThat(disk.writable()).isTrue();
        }
        requireClean(image, kind.toString());
    }

    @Test
    void a_read_beside_a_table_that_moves_sees_what_is_not_yet_durable() throws IOException {
        ImageKind kind = new ImageKind(3, 9, 4, false);
        MemoryHostFile image = kind.create(SIZE);
        int reach = 512 / 8 * 512;
        AtomicInteger written = new AtomicInteger();
        AtomicBoolean done = new AtomicBoolean();
        try (Disk disk = TestDisk.open(new KeptOpen(image), new MemoryHostFile("base.raw"))) {
            List<Callable<Void>> tasks = new ArrayList<>();
            tasks.add(() -> {
                try (NativeBuffer sector = NativeBuffer.allocate(SECTOR)) {
                    for (int i = 1; i < SIZE / reach; i++) {
                        NativeBuffer.putLong(sector.address(), i);
                        disk.write((long) i * reach, sector.address(), SECTOR);
                        written.set(i);
                        disk.resize(SIZE + (long) i * reach);
                    }
                } finally {
                    done.set(true);
                }
                return null;
            });
            for (int reader = 0; reader < 3; reader++) {
                tasks.add(() -> {
                    try (NativeBuffer sector = NativeBuffer.allocate(SECTOR)) {
                        while (!done.get()) {
                            int last = written.get();
                            if (last > 0) {
                                disk.read((long) last * reach, sector.address(), 8);
                                assertThat(NativeBuffer.getLong(sector.address()))
                                        .isEqualTo(last);
                            }
                        }
                    }
                    return null;
                });
            }
            together(tasks);
        }
        requireClean(image, "grown");
    }

    private static void requireClean(MemoryHostFile image, String what) throws IOException {
        ImageTally tally = new ImageTally(image);
        assertThat(tally.corruptions()).as(what).isEmpty();
        assertThat(tally.leaks()).as(what).isZero();
    }

    /** Outlives the disk. */
    private static final class KeptOpen extends ForwardingFile {

        KeptOpen(MemoryHostFile file) {
            super(file);
        }

        @Override
        public void close() {}
    }
}
