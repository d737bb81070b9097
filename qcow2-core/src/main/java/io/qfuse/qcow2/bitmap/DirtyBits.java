package io.qfuse.qcow2.bitmap;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * The bits of one bitmap in memory.
 *
 * <h2>What</h2>
 *
 * Bits lie in chunks. One without a set bit takes no memory, nor does one that was set as a whole, so a bitmap takes what
 * was written in places and not what it may hold. Where the memory of all bitmaps is used up, this one is lost for good.
 *
 * <ol>
 *   <li>A bit that is set stays set, but where the disk shrinks below it.
 *   <li>Bits behind the end in the last chunk mean nothing: they are masked in what is read, and left behind when the
 *       bitmap grows.
 * </ol>
 *
 * <h2>Concurrency</h2>
 *
 * Any number of threads set bits, without a lock: a bit that is set already costs two reads, and nobody else's cache
 * line. Resizing publishes the new chunks first and moves the bits into them afterwards; who sets a bit looks again
 * whether the chunks are still the ones that it used. Either the bit was there when it was moved, or whoever set it finds new
 * chunks and sets it once more: both are volatile accesses, so they cannot miss each other. One thread at a time resizes.
 */
final class DirtyBits {

    private static final int CHUNK_SHIFT = 15;
    private static final int CHUNK_BITS = 1 << CHUNK_SHIFT;
    private static final int CHUNK_WORDS = CHUNK_BITS / Long.SIZE;
    private static final int CHUNK_BYTES = CHUNK_BITS / Byte.SIZE;
    /** What a chunk takes without its bits: its place here and, while it is saved, the entries of its clusters in two tables. */
    private static final int PLACE_BYTES = Long.BYTES + 2 * CHUNK_BYTES / 512 * Long.BYTES;

    private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);

    /** Stands for every chunk that was set as a whole; nobody writes to it, since no bit in it needs to be set. */
    private static final long[] ONES = new long[CHUNK_WORDS];

    static {
        Arrays.fill(ONES, -1);
    }

    private final BitmapMemory memory;

    /** Null once the bits are lost. */
    private volatile @Nullable Chunks current;

    /** Whether a bit was set since {@link #loaded}. */
    private volatile boolean changed;

    /** The chunks of a bitmap of one size; null for one without a set bit. */
    private static final class Chunks extends AtomicReferenceArray<long[]> {

        private static final long serialVersionUID = 1L;

        private final long bits;

        Chunks(long bits) {
            super(length(bits));
            this.bits = bits;
        }

        static int length(long bits) {
            return Math.toIntExact((bits + CHUNK_BITS - 1) >>> CHUNK_SHIFT);
        }
    }

    private DirtyBits(BitmapMemory memory, Chunks chunks) {
        this.memory = memory;
        this.current = chunks;
    }

    /** So many clear bits, or null where there is no memory for them. */
    static @Nullable DirtyBits create(BitmapMemory memory, long bits) {
        return memory.take(placeBytes(bits)) ? new DirtyBits(memory, new Chunks(bits)) : null;
    }

    private static long placeBytes(long bits) {
        return (long) PLACE_BYTES * Chunks.length(bits);
    }

    /**
     * Sets bits from {@code first} to before {@code end}; those behind the end are left out.
     *
     * @return false where the bitmap is lost by this, for want of memory
     */
    boolean set(long first, long end) {
        for (; ; ) {
            Chunks in = current;
            if (in == null) {
                return true; // who lost it has told so
            }
            if (!set(in, first, Math.min(end, in.bits))) {
                return !lose();
            }
            if (in == current) {
                return true;
            }
        }
    }

    private boolean set(Chunks in, long first, long end) {
        for (long at = first; at < end; ) {
            int index = (int) (at >>> CHUNK_SHIFT);
            long start = (long) index << CHUNK_SHIFT;
            long next = Math.min(end, start + CHUNK_BITS);
            if (at == start && (next == start + CHUNK_BITS || next == in.bits)) {
                setWhole(in, index);
            } else if (!setPart(in, index, (int) (at - start), (int) (next - start))) {
                return false;
            }
            at = next;
        }
        return true;
    }

    private void setWhole(Chunks in, int index) {
        if (in.get(index) != ONES) {
            giveBack(in.getAndSet(index, ONES));
            changed = true;
        }
    }

    private boolean setPart(Chunks in, int index, int first, int end) {
        long[] words = in.get(index);
        if (words == null) {
            words = make(in, index);
        }
        if (words == null) {
            return false;
        }
        for (int at = first; at < end; ) {
            int next = Math.min(end, (at | (Long.SIZE - 1)) + 1);
            set(words, at / Long.SIZE, below(next - (at & -Long.SIZE)) & ~below(at % Long.SIZE));
            at = next;
        }
        return true;
    }

    private void set(long[] words, int word, long mask) {
        if ((words[word] & mask) != mask) {
            WORD.getAndBitwiseOr(words, word, mask);
            if (!changed) {
                changed = true;
            }
        }
    }

    /** Sets the bits of a word, as {@link #word} counts them, that are set in {@code mask}. */
    boolean or(long index, long mask) {
        Chunks in = current;
        return in == null || mask == 0 || or(in, index, mask) || !lose();
    }

    private boolean or(Chunks in, long index, long mask) {
        int chunk = (int) (index / CHUNK_WORDS);
        long[] words = in.get(chunk);
        if (words == null) {
            words = make(in, chunk);
        }
        if (words == null) {
            return false;
        }
        set(words, (int) (index % CHUNK_WORDS), mask);
        return true;
    }

    private long @Nullable [] make(Chunks in, int index) {
        if (!memory.take(CHUNK_BYTES)) {
            return null;
        }
        long[] fresh = new long[CHUNK_WORDS];
        long[] there = in.compareAndExchange(index, null, fresh);
        if (there == null) {
            return fresh;
        }
        giveBack(fresh);
        return there;
    }

    private void giveBack(long @Nullable [] words) {
        if (words != null && words != ONES) {
            memory.give(CHUNK_BYTES);
        }
    }

    /** Bits {@code 64 * index} and following, the first in the lowest place; those behind the end are 0. */
    long word(long index) {
        Chunks in = current;
        long left = in == null ? 0 : in.bits - index * Long.SIZE;
        if (in == null || left <= 0) {
            return 0;
        }
        long[] words = in.get((int) (index / CHUNK_WORDS));
        return words == null ? 0 : words[(int) (index % CHUNK_WORDS)] & below((int) Math.min(left, Long.SIZE));
    }

    private static long below(int bit) {
        return bit == Long.SIZE ? -1 : (1L << bit) - 1;
    }

    /** How many bits there are. */
    long size() {
        Chunks in = current;
        return in == null ? 0 : in.bits;
    }

    /** Tells that the bits are what the file has. */
    void loaded() {
        changed = false;
    }

    /** Whether the bits may be other than what the file has. */
    boolean isChanged() {
        return changed;
    }

    /** Whether the bits are gone. */
    boolean isLost() {
        return current == null;
    }

    /** Gives the bits up; returns whether this call did. */
    synchronized boolean lose() {
        Chunks in = current;
        current = null;
        if (in != null) {
            dropFrom(in, 0);
        }
        return in != null;
    }

    private void dropFrom(Chunks in, int first) {
        for (int i = first; i < in.length(); i++) {
            giveBack(in.get(i));
        }
        memory.give(placeBytes(in.bits));
    }

    /**
     * Cuts bits off at the end, or adds clear ones.
     *
     * @return false where the bitmap is lost by this, for want of memory
     */
    synchronized boolean resize(long bits) {
        Chunks old = current;
        if (old == null || old.bits == bits) {
            return true;
        }
        if (!memory.take(placeBytes(bits))) {
            return !lose();
        }
        Chunks next = new Chunks(bits);
        current = next;
        changed = true;
        long kept = Math.min(old.bits, bits);
        int whole = (int) (kept >>> CHUNK_SHIFT);
        for (int i = 0; i < whole; i++) {
            move(old.get(i), next, i);
        }
        for (long index = (long) whole * CHUNK_WORDS; index * Long.SIZE < kept; index++) {
            long[] words = old.get(whole);
            long mask = below((int) Math.min(Long.SIZE, kept - index * Long.SIZE));
            long set = words == null ? 0 : (long) WORD.getVolatile(words, (int) (index % CHUNK_WORDS)) & mask;
            if (set != 0 && !or(next, index, set)) {
                return !lose();
            }
        }
        dropFrom(old, whole);
        return true;
    }

    /** Lets the new chunks have an old one; bits that were set in the new ones meanwhile stay. */
    private void move(long @Nullable [] words, Chunks next, int index) {
        if (words == ONES) {
            setWhole(next, index);
        } else if (words != null) {
            long[] there = next.compareAndExchange(index, null, words);
            if (there != null) {
                for (int i = 0; i < CHUNK_WORDS; i++) {
                    set(there, i, (long) WORD.getVolatile(words, i));
                }
                giveBack(words);
            }
        }
    }
}
