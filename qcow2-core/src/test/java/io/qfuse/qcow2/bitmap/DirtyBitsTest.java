package io.qfuse.qcow2.bitmap;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class DirtyBitsTest {

    private static final long ROOM = 16 << 20;

    private static DirtyBits create(BitmapMemory memory, long bits) {
        return requireNonNull(DirtyBits.create(memory, bits));
    }

    private static BitSet read(DirtyBits bits) {
        long[] words = new long[(int) ((bits.size() + 63) / 64) + 1];
        for (int i = 0; i < words.length; i++) {
            words[i] = bits.word(i);
        }
        return BitSet.valueOf(words);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void any_ranges_and_sizes_leave_what_a_bit_set_holds(long seed) {
        Random random = new Random(seed);
        BitmapMemory memory = new BitmapMemory(ROOM);
        int size = random.nextInt(200_000);
        DirtyBits bits = create(memory, size);
        BitSet model = new BitSet();
        for (int i = 0; i < 200; i++) {
            String what = "seed " + seed + ", step " + i;
            int first = random.nextInt(size + 10);
            int end = first + random.nextInt(random.nextInt(4) == 0 ? 100_000 : 100);
            if (random.nextInt(8) == 0) {
                size = random.nextInt(3) == 0 ? (1 + random.nextInt(6)) << 15 : 1 + random.nextInt(200_000);
                assertThat(bits.resize(size)).isTrue();
                model.clear(size, Math.max(size, model.length()));
            } else {
                assertThat(bits.set(first, end)).as(what).isTrue();
                if (first < size) {
                    model.set(first, Math.min(end, size));
                }
            }
            assertThat(read(bits)).as(what).isEqualTo(model);
            assertThat(bits.size()).isEqualTo(size);
        }
        assertThat(bits.lose()).isTrue();
        assertThat(memory.take(ROOM)).as("all memory is given back").isTrue();
    }

    @Test
    void setting_all_of_a_huge_bitmap_takes_no_memory() {
        BitmapMemory memory = new BitmapMemory(20 << 20);
        DirtyBits bits = create(memory, 1L << 32);
        assertThat(bits.set(0, 1L << 32)).isTrue();
        assertThat(bits.word((1L << 26) - 1)).isEqualTo(-1);
        assertThat(memory.take(2 << 20)).isTrue();
    }

    @Test
    void bits_without_memory_are_lost_once_and_give_back_what_they_had() {
        BitmapMemory memory = new BitmapMemory(64 << 10);
        DirtyBits bits = create(memory, 1 << 21);
        int lost = 0;
        for (int i = 0; i < 64; i++) {
            lost += bits.set((long) i << 15, ((long) i << 15) + 1) ? 0 : 1;
        }
        assertThat(lost).isOne();
        assertThat(bits.isLost()).isTrue();
        assertThat(memory.take(64 << 10)).isTrue();
        assertThat(DirtyBits.create(memory, 1)).isNull();
    }

    @Test
    void only_a_bit_that_was_clear_counts_as_a_change() {
        DirtyBits bits = create(new BitmapMemory(ROOM), 1000);
        bits.set(10, 200);
        bits.loaded();
        bits.set(10, 200);
        assertThat(bits.isChanged()).isFalse();
        bits.set(199, 201);
        assertThat(bits.isChanged()).isTrue();
    }

    @Test
    void no_bit_is_lost_among_threads_that_set_and_one_that_resizes() throws Exception {
        int least = 100_000;
        DirtyBits bits = create(new BitmapMemory(ROOM), least);
        ExecutorService threads = Executors.newFixedThreadPool(4);
        AtomicBoolean done = new AtomicBoolean();
        List<Future<BitSet>> setters = new ArrayList<>();
        for (int seed = 0; seed < 3; seed++) {
            Random random = new Random(seed);
            setters.add(threads.submit(() -> {
                BitSet mine = new BitSet();
                for (int i = 0; i < 20_000; i++) {
                    int first = random.nextInt(least - 100);
                    int length = 1 + random.nextInt(3);
                    bits.set(first, first + length);
                    mine.set(first, first + length);
                }
                return mine;
            }));
        }
        Future<?> resizer = threads.submit(() -> {
            Random random = new Random(9);
            while (!done.get()) {
                bits.resize(least + random.nextInt(200_000));
            }
        });
        BitSet all = new BitSet();
        for (Future<BitSet> setter : setters) {
            all.or(setter.get(60, TimeUnit.SECONDS));
        }
        done.set(true);
        resizer.get(60, TimeUnit.SECONDS);
        threads.shutdown();
        assertThat(read(bits)).isEqualTo(all);
    }
}
