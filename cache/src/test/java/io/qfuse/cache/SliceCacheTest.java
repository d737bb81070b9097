package io.qfuse.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.List;
import org.junit.jupiter.api.Test;

final class SliceCacheTest {

    private static final int SIZE = 512;
    private static final int SLICES = 5000;

    private final ArrayStore store = new ArrayStore(SLICES, SIZE);
    private final CacheBudget budget = new CacheBudget(64 * 1024);
    private final SliceCache cache = new SliceCache(budget, store, SIZE);

    private void touchAll() throws IOException {
        for (int i = 0; i < 2 * SLICES; i++) {
            if (cache.get((long) i % SLICES * SIZE, 0).offset() != (long) i % SLICES * SIZE) {
                throw new AssertionError("another slice than " + i);
            }
        }
    }

    private void storeAll(int rank) {
        for (CapturedSlice captured : cache.capture(rank)) {
            store.store(captured);
            cache.written(captured);
        }
    }

    @Test
    void slice_is_loaded_once_and_then_hit() throws IOException {
        store.fill(3, 7);
        Slice slice = cache.get(3 * SIZE, 0);
        assertThat(slice.getLong(8)).isEqualTo(0x0707070707070707L);
        assertThat(cache.get(3 * SIZE, 0)).isSameAs(slice);
        assertThat(store.loads()).isEqualTo(1);
    }

    @Test
    void lookups_are_counted_by_rank_in_all_caches_of_a_budget() throws IOException {
        SliceCache other = new SliceCache(budget, store, SIZE);
        for (int i = 0; i < 3; i++) {
            cache.get(0, 2);
            other.get(0, 2);
        }
        cache.unpin(cache.pin(0, 1));
        cache.unpin(cache.pin(SIZE, 1));
        cache.unpin(cache.pin(SIZE, 1));
        assertThat(budget.lookups(2).hits()).isEqualTo(4);
        assertThat(budget.lookups(2).misses()).isEqualTo(2);
        assertThat(budget.lookups(1).hits()).isEqualTo(2);
        assertThat(budget.lookups(1).misses()).isEqualTo(1);
        assertThat(budget.lookups(0).hits()).isZero();
    }

    @Test
    void numbers_are_big_endian_and_aligned() throws IOException {
        Slice slice = cache.pin(0, 0);
        slice.setLongs(0, 0x0102030405060708L, 0x1112131415161718L);
        slice.setLong(16, 0x2122232425262728L);
        assertThat(slice.getLong(8)).isEqualTo(0x1112131415161718L);
        cache.unpin(slice);
        assertThat(cache.capture(0).get(0).bytes()).startsWith(1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x12, 0x13, 0x14);
        assertThatThrownBy(() -> slice.getLong(4)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void change_without_a_pin_is_refused() throws IOException {
        Slice slice = cache.get(0, 0);
        assertThatThrownBy(() -> slice.setLong(0, 1)).isInstanceOf(IllegalStateException.class);
        Slice pinned = cache.pin(0, 1);
        cache.unpin(pinned);
        assertThatThrownBy(() -> pinned.setLong(0, 1)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> cache.unpin(pinned)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void dirty_slice_survives_any_eviction_pressure() throws IOException {
        Slice slice = cache.pin(0, 2);
        slice.setLong(0, 42);
        cache.unpin(slice);
        touchAll();
        assertThat(cache.get(0, 0)).isSameAs(slice);
        assertThat(cache.dirtyBytes()).isEqualTo(SIZE);
        assertThat(cache.dirtyBytes(2)).isEqualTo(SIZE);
        assertThat(store.loads()).as("others were evicted").isGreaterThan(SLICES);
    }

    @Test
    void pinned_clean_slice_survives_any_eviction_pressure() throws IOException {
        Slice slice = cache.pin(0, 2);
        touchAll();
        assertThat(cache.get(0, 0)).isSameAs(slice);
        slice.setLong(0, 1);
        cache.unpin(slice);
        assertThat(cache.capture(2)).hasSize(1);
    }

    @Test
    void clean_slices_stay_within_the_budget() throws IOException {
        touchAll();
        assertThat(budget.slices().size() * SIZE).isLessThanOrEqualTo(64 * 1024);
    }

    @Test
    void written_slice_is_clean_and_evicted_like_any_other() throws IOException {
        Slice slice = cache.pin(0, 0);
        slice.setLong(16, 99);
        cache.unpin(slice);
        storeAll(0);
        assertThat(cache.dirtyBytes()).isZero();
        assertThat(cache.get(0, 0)).isSameAs(slice);
        for (int i = 0; i < 20 && cache.get(0, 0) == slice; i++) {
            touchAll();
        }
        assertThat(cache.get(0, 0)).isNotSameAs(slice);
        assertThat(cache.get(0, 0).getLong(16)).isEqualTo(99);
    }

    @Test
    void slice_evicted_on_its_way_back_into_the_cache_is_retired() throws IOException {
        SliceCache tiny = new SliceCache(new CacheBudget(1), store, SIZE);
        Slice slice = tiny.pin(0, 0);
        slice.setLong(0, 5);
        tiny.unpin(slice);
        assertThat(slice.retired()).isFalse();
        CapturedSlice captured = tiny.capture(0).get(0);
        store.store(captured);
        tiny.written(captured);
        assertThat(slice.retired()).isTrue();
        assertThat(tiny.get(0, 0)).isNotSameAs(slice);
    }

    @Test
    void front_table_finds_no_retired_slice() throws IOException {
        FrontTable front = new FrontTable(SIZE);
        Slice slice = cache.get(SIZE, 0);
        front.put(slice);
        assertThat(front.find(SIZE)).isSameAs(slice);
        assertThat(front.find(0)).isNull();
        cache.discard(SIZE, SIZE);
        assertThat(front.find(SIZE)).isNull();
    }

    @Test
    void slice_changed_after_its_capture_stays_dirty() throws IOException {
        Slice slice = cache.pin(0, 0);
        slice.setLong(0, 1);
        List<CapturedSlice> captured = cache.capture(0);
        slice.setLong(8, 2);
        cache.unpin(slice);
        cache.written(captured.get(0));
        assertThat(cache.dirtyBytes()).isEqualTo(SIZE);
        assertThat(captured.get(0).bytes()[15]).isZero();
        assertThat(cache.capture(0).get(0).bytes()[15]).isEqualTo((byte) 2);
    }

    @Test
    void capture_takes_one_rank_in_the_order_of_offsets() throws IOException {
        for (int i : new int[] {9, 2, 700, 30}) {
            Slice slice = cache.pin((long) i * SIZE, i == 30 ? 1 : 0);
            slice.setLong(0, i);
            cache.unpin(slice);
        }
        assertThat(cache.capture(0))
                .extracting(CapturedSlice::offset)
                .containsExactly(2L * SIZE, 9L * SIZE, 700L * SIZE);
        assertThat(cache.capture(1)).extracting(CapturedSlice::offset).containsExactly(30L * SIZE);
        assertThat(cache.capture(2)).isEmpty();
    }

    @Test
    void discard_drops_the_slices_of_its_range_and_no_others() throws IOException {
        store.fill(1, 1);
        Slice slice = cache.get(SIZE, 0);
        Slice other = cache.get(4 * SIZE, 0);
        store.fill(1, 2);
        cache.discard(0, 4 * SIZE);
        assertThat(cache.get(SIZE, 0)).isNotSameAs(slice);
        assertThat(cache.get(SIZE, 0).getLong(0)).isEqualTo(0x0202020202020202L);
        cache.discard(5 * SIZE, 1L << 50);
        assertThat(cache.get(4 * SIZE, 0)).isSameAs(other);
    }

    @Test
    void discard_drops_dirty_slices_and_a_late_written_does_no_harm() throws IOException {
        Slice dirty = cache.pin(SIZE, 0);
        dirty.setLong(0, 1);
        assertThatThrownBy(() -> cache.discard(0, 1L << 50)).isInstanceOf(IllegalStateException.class);
        cache.unpin(dirty);
        List<CapturedSlice> captured = cache.capture(0);
        cache.discard(0, 1L << 50);
        assertThat(cache.dirtyBytes()).isZero();
        assertThat(cache.capture(0)).isEmpty();
        cache.written(captured.get(0));
        assertThat(cache.get(SIZE, 0)).isNotSameAs(dirty);
        assertThat(cache.get(SIZE, 0).getLong(0)).isZero();
    }

    @Test
    void caches_of_one_budget_keep_their_slices_apart() throws IOException {
        ArrayStore other = new ArrayStore(10, SIZE);
        other.fill(0, 3);
        SliceCache second = new SliceCache(budget, other, SIZE);
        assertThat(cache.get(0, 0).getLong(0)).isZero();
        assertThat(second.get(0, 0).getLong(0)).isEqualTo(0x0303030303030303L);
        second.discard(0, 1L << 50);
        int loads = store.loads();
        assertThat(cache.get(0, 0).getLong(0)).isZero();
        assertThat(store.loads()).isEqualTo(loads);
    }

    @Test
    void failed_load_reaches_the_caller_and_the_next_call_tries_again() {
        assertThatThrownBy(() -> cache.get((long) SLICES * SIZE, 0)).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> cache.pin((long) SLICES * SIZE, 0)).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> cache.get(7, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> cache.pin(0, SliceCache.RANKS)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void rank_of_a_dirty_slice_cannot_change() throws IOException {
        Slice slice = cache.pin(0, 0);
        slice.setLong(0, 1);
        assertThatThrownBy(() -> cache.pin(0, 1)).isInstanceOf(IllegalStateException.class);
        cache.unpin(slice);
        storeAll(0);
        cache.unpin(cache.pin(0, 1));
    }

    @Test
    void hit_allocates_nothing() throws IOException {
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long least = Long.MAX_VALUE;
        long sum = 0;
        for (int round = 0; round < 50; round++) { // the first rounds load classes and fill the cache
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 1000; i++) {
                sum += cache.get((long) (i % 16) * SIZE, 0).getLong(0);
            }
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        assertThat(sum).isZero();
        assertThat(least).isLessThan(1000); // over 1000 hits
    }
}
