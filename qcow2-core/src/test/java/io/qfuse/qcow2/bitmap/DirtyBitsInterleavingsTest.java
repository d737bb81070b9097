package io.qfuse.qcow2.bitmap;

import static io.qfuse.qcow2.testing.Interleavings.Call.call;

import io.qfuse.qcow2.testing.Interleavings;
import java.util.Objects;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Bits that are set, without any lock, beside a resize. All accesses that this rests on are volatile, as those here are taken to be. */
@Tag("interleavings")
final class DirtyBitsInterleavingsTest {

    private static final int FEW = 64;
    private static final int CHUNK = 1 << 15;

    /** The first words of a bitmap. */
    public static class Bits {

        private long first;

        /** Sets a bit of the first 64. */
        public void set(int bit) {
            first |= 1L << bit;
        }

        /** Changes how many bits there are, to no fewer. */
        public void resize(int bits) {}

        /** The first 64 bits. */
        public long word() {
            return first;
        }
    }

    /** The same without a lock, of {@link #FEW} bits. */
    public static class SharedBits extends Bits {

        private final DirtyBits bits;

        public SharedBits() {
            this(FEW);
        }

        SharedBits(int size) {
            bits = Objects.requireNonNull(DirtyBits.create(new BitmapMemory(1 << 20), size));
        }

        @Override
        public void set(int bit) {
            bits.set(bit, bit + 1);
        }

        @Override
        public void resize(int size) {
            bits.resize(size);
        }

        @Override
        public long word() {
            return bits.word(0);
        }
    }

    /** The same, of as many bits as a chunk has. */
    public static final class SharedChunk extends SharedBits {

        public SharedChunk() {
            super(CHUNK);
        }
    }

    @Test
    void a_bit_that_is_set_beside_a_resize_is_in_the_bitmap() {
        new Interleavings(SharedBits.class, Bits.class)
                .thread(call("set", 0), call("set", 1))
                .thread(call("resize", 2 * FEW))
                .last(call("word"))
                .explore();
    }

    @Test
    void a_bit_that_is_set_in_a_chunk_that_moves_is_in_the_bitmap() {
        new Interleavings(SharedChunk.class, Bits.class)
                .first(call("set", 0))
                .thread(call("set", 1))
                .thread(call("resize", 2 * CHUNK))
                .last(call("word"))
                .explore();
    }

    @Test
    void bits_that_are_set_at_once_are_all_in_the_bitmap() {
        new Interleavings(SharedBits.class, Bits.class)
                .thread(call("set", 0))
                .thread(call("set", 1))
                .last(call("word"))
                .explore();
    }
}
