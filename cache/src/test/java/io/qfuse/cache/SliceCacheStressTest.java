package io.qfuse.cache;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Threads that each own one number of every slice, and a checkpoint, over a cache that has room for next to nothing. */
final class SliceCacheStressTest {

    private static final int SIZE = 512;
    private static final int SLICES = 96;
    private static final int THREADS = 6;
    private static final int STEPS = 40_000;

    @ParameterizedTest
    @CsvSource({"1, 1", "2, 3000", "3, 20000", "4, 1000000"})
    void no_update_is_lost_under_eviction_pressure(long seed, long budgetBytes) throws Exception {
        ArrayStore store = new ArrayStore(SLICES, SIZE);
        SliceCache cache = new SliceCache(new CacheBudget(budgetBytes), store, SIZE);
        long[][] model = new long[THREADS][SLICES];
        AtomicBoolean done = new AtomicBoolean();
        ExecutorService pool = Executors.newFixedThreadPool(THREADS + 1);
        try {
            List<Future<?>> owners = new ArrayList<>();
            for (int t = 0; t < THREADS; t++) {
                int owner = t;
                owners.add(pool.submit(() -> {
                    change(cache, model[owner], owner, new Random(seed * 31 + owner));
                    return null;
                }));
            }
            Future<?> checkpoints = pool.submit(() -> {
                while (!done.get()) {
                    checkpoint(cache, store);
                }
            });
            try {
                for (Future<?> owner : owners) {
                    owner.get();
                }
            } finally {
                done.set(true);
                checkpoints.get();
            }
        } finally {
            pool.shutdownNow();
        }
        checkpoint(cache, store);
        assertThat(cache.dirtyBytes()).isZero();
        for (int t = 0; t < THREADS; t++) {
            for (int i = 0; i < SLICES; i++) {
                String where = "seed " + seed + ", thread " + t + ", slice " + i;
                assertThat(ByteBuffer.wrap(store.slice(i)).getLong(8 * t))
                        .as(where)
                        .isEqualTo(model[t][i]);
                assertThat(cache.get((long) i * SIZE, 0).getLong(8 * t))
                        .as(where)
                        .isEqualTo(model[t][i]);
            }
        }
        cache.discard(0, (long) SLICES * SIZE); // refuses what is still pinned
    }

    private static void change(SliceCache cache, long[] mine, int owner, Random random) throws IOException {
        for (int step = 0; step < STEPS; step++) {
            int index = random.nextInt(SLICES);
            long offset = (long) index * SIZE;
            Slice slice;
            if (random.nextInt(3) > 0) {
                slice = cache.get(offset, 0);
            } else {
                slice = cache.pin(offset, index % 2);
                if (random.nextBoolean()) {
                    slice.setLong(8 * owner, ++mine[index]);
                }
                cache.unpin(slice);
            }
            if (slice.getLong(8 * owner) != mine[index]) {
                throw new AssertionError("thread " + owner + " step " + step + ": " + slice.getLong(8 * owner)
                        + " instead of " + mine[index] + " in " + slice);
            }
        }
    }

    private static void checkpoint(SliceCache cache, ArrayStore store) {
        for (int rank = 0; rank < 2; rank++) {
            for (CapturedSlice captured : cache.capture(rank)) {
                store.store(captured);
                cache.written(captured);
            }
        }
    }
}
