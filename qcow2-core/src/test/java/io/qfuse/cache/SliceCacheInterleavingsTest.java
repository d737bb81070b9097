package io.qfuse.cache;

import static io.qfuse.qcow2.testing.Interleavings.Call.call;

import io.qfuse.qcow2.testing.Interleavings;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Two numbers of one slice, each with a thread that alone changes it, beside evictions and checkpoints. */
@Tag("interleavings")
final class SliceCacheInterleavingsTest {

    private static final int SIZE = 512;
    private static final int RANK = 0;

    /** What the numbers must be like, in memory and, where nobody changed them since a checkpoint, on the disk. */
    public static class Numbers {

        private final long[] numbers = new long[2];

        public long add(int index) throws IOException {
            return numbers[index]++;
        }

        public long get(int index) throws IOException {
            return numbers[index];
        }

        public long stored(int index) {
            return numbers[index];
        }

        public void checkpoint() {}

        public void evict() {}
    }

    /** The same in a slice cache. */
    public static class CachedNumbers extends Numbers {

        private byte[] disk = new byte[SIZE];
        private final SharedSlices shared = new SharedSlices();
        final SliceCache cache = new SliceCache(shared.budget(), this::load, SIZE);

        private void load(long offset, byte[] into) {
            System.arraycopy(disk, 0, into, 0, SIZE);
        }

        Slice pin() throws IOException {
            return cache.pin(0, RANK);
        }

        @Override
        public long add(int index) throws IOException {
            Slice slice = pin();
            try {
                long before = slice.getLong(Long.BYTES * index);
                slice.setLong(Long.BYTES * index, before + 1);
                return before;
            } finally {
                cache.unpin(slice);
            }
        }

        @Override
        public long get(int index) throws IOException {
            return cache.get(0, 0).getLong(Long.BYTES * index);
        }

        @Override
        public long stored(int index) {
            return ByteBuffer.wrap(disk).getLong(Long.BYTES * index);
        }

        @Override
        public void checkpoint() {
            List<CapturedSlice> captured = cache.capture(RANK);
            store(captured);
            captured.forEach(cache::written);
        }

        final void store(List<CapturedSlice> captured) {
            captured.forEach(slice -> disk = slice.bytes());
        }

        /** The shared cache lets go of the slice, where it has it. */
        @Override
        public void evict() {
            shared.evict(0);
        }
    }

    /** Finds a slice and holds it then: between the two it may be evicted, and another one be loaded. */
    public static final class HeldTooLate extends CachedNumbers {

        @Override
        Slice pin() throws IOException {
            Slice slice = cache.get(0, 0);
            slice.hold(RANK);
            return slice;
        }
    }

    /** Takes for stored what is there when it is done, and not what it has captured. */
    public static final class CleanWithoutLooking extends CachedNumbers {

        @Override
        public void checkpoint() {
            store(cache.capture(RANK));
            cache.capture(RANK).forEach(cache::written);
        }
    }

    private static Interleavings changesBesideEviction(Class<?> operations) {
        return inTheEnd(new Interleavings(operations, Numbers.class)
                .first(call("get", 0))
                .thread(call("add", 0), call("get", 0))
                .thread(call("evict"), call("add", 1)));
    }

    private static Interleavings changeBesideCheckpoint(Class<?> operations) {
        return inTheEnd(new Interleavings(operations, Numbers.class)
                .first(call("add", 0))
                .thread(call("add", 1))
                .thread(call("checkpoint")));
    }

    /** All that was changed is stored by a checkpoint, and loaded again. */
    private static Interleavings inTheEnd(Interleavings program) {
        return program.last(
                call("checkpoint"),
                call("stored", 0),
                call("stored", 1),
                call("evict"),
                call("get", 0),
                call("get", 1));
    }

    @Test
    void changes_beside_an_eviction_are_in_the_slice_that_all_find() {
        changesBesideEviction(CachedNumbers.class).explore();
    }

    @Test
    void a_change_beside_a_checkpoint_is_captured_by_it_or_by_the_next() {
        changeBesideCheckpoint(CachedNumbers.class).explore();
    }

    @Test
    void a_slice_that_is_evicted_while_it_is_let_go_is_found_or_retired() {
        inTheEnd(new Interleavings(CachedNumbers.class, Numbers.class)
                        .first(call("add", 0))
                        .thread(call("checkpoint"), call("get", 0))
                        .thread(call("evict"), call("add", 1)))
                .explore();
    }

    @Test
    void threads_that_miss_at_once_get_one_slice() {
        inTheEnd(new Interleavings(CachedNumbers.class, Numbers.class)
                        .thread(call("add", 0))
                        .thread(call("get", 1), call("add", 1)))
                .explore();
    }

    @Test
    void a_pin_that_forgets_evictions_would_be_seen() {
        changesBesideEviction(HeldTooLate.class).requireSeen();
    }

    @Test
    void a_checkpoint_that_takes_what_it_has_not_captured_for_stored_would_be_seen() {
        changeBesideCheckpoint(CleanWithoutLooking.class).requireSeen();
    }
}
