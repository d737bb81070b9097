package io.qfuse.qcow2.format;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Refcounts of one width inside a block's bytes (format notes, section 7): below 8 bits the least significant bits of
 * a byte come first, from 16 bits on they are big-endian.
 *
 * @param order log2 of the width in bits, 0 to 6
 */
public record RefcountWidth(int order) {

    private static final VarHandle WORDS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    /** An order outside 0 to 6 is a programming error. */
    public RefcountWidth {
        if (order < 0 || order > 6) {
            throw new IllegalArgumentException("refcount order " + order);
        }
    }

    /** The width in bits, 1 to 64. */
    public int bits() {
        return 1 << order;
    }

    /** The largest count that may be stored; for 64 bits 2^63 - 1, so that counts can be compared as they are. */
    public long max() {
        return order == 6 ? Long.MAX_VALUE : (1L << bits()) - 1;
    }

    /** Whether {@code references} more fit on top of {@code count}; 0 or more of each. */
    public boolean canAdd(long count, long references) {
        return references <= max() - count;
    }

    /** Where in a block the 8 aligned bytes are that hold the count at an index. */
    public int wordOf(int index) {
        return bitOf(index) >>> 6 << 3;
    }

    /** The count at an index, as it is stored, out of the big-endian {@linkplain #wordOf word} that holds it. */
    public long extract(long word, int index) {
        return word >>> shiftOf(index) & mask();
    }

    /** The {@linkplain #wordOf word} with another count at an index. */
    public long insert(long word, int index, long count) {
        return (word & ~(mask() << shiftOf(index))) | count << shiftOf(index);
    }

    /** The count at an index; a stored 64-bit one above {@link #max} is given as that. */
    public long get(byte[] block, int index) {
        long count = extract((long) WORDS.get(block, wordOf(index)), index);
        return count < 0 ? Long.MAX_VALUE : count;
    }

    /** Stores a count of 0 to {@link #max}. */
    public void set(byte[] block, int index, long count) {
        if (count < 0 || count > max()) {
            throw new IllegalArgumentException("refcount " + count + " in " + bits() + " bits");
        }
        int at = wordOf(index);
        WORDS.set(block, at, insert((long) WORDS.get(block, at), index, count));
    }

    private long mask() {
        return -1L >>> (Long.SIZE - bits());
    }

    private int bitOf(int index) {
        return index << order;
    }

    /** In a big-endian word what comes first is highest, but counts within one byte start at its lowest bit. */
    private int shiftOf(int index) {
        return (bitOf(index) & 63) ^ (Long.SIZE - Math.max(bits(), Byte.SIZE));
    }
}
