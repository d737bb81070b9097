package io.qfuse.qcow2.format;

import java.nio.ByteBuffer;

/**
 * Refcounts of one width inside a block's bytes (format notes, section 7): below 8 bits the least significant bits of
 * a byte come first, from 16 bits on they are big-endian.
 *
 * @param order log2 of the width in bits, 0 to 6
 */
public record RefcountWidth(int order) {

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

    /** The count at an index; a stored 64-bit one above {@link #max} is given as that. */
    public long get(byte[] block, int index) {
        return switch (order) {
            case 3 -> block[index] & 0xff;
            case 4 -> ByteBuffer.wrap(block).getShort(index * 2) & 0xffff;
            case 5 -> Integer.toUnsignedLong(ByteBuffer.wrap(block).getInt(index * 4));
            case 6 -> {
                long count = ByteBuffer.wrap(block).getLong(index * 8);
                yield count < 0 ? Long.MAX_VALUE : count;
            }
            default -> (block[byteOf(index)] >>> shiftOf(index)) & max();
        };
    }

    /** Stores a count of 0 to {@link #max}. */
    public void set(byte[] block, int index, long count) {
        if (count < 0 || count > max()) {
            throw new IllegalArgumentException("refcount " + count + " in " + bits() + " bits");
        }
        switch (order) {
            case 3 -> block[index] = (byte) count;
            case 4 -> ByteBuffer.wrap(block).putShort(index * 2, (short) count);
            case 5 -> ByteBuffer.wrap(block).putInt(index * 4, (int) count);
            case 6 -> ByteBuffer.wrap(block).putLong(index * 8, count);
            default -> {
                int others = block[byteOf(index)] & ~((int) max() << shiftOf(index));
                block[byteOf(index)] = (byte) (others | (int) count << shiftOf(index));
            }
        }
    }

    private int byteOf(int index) {
        return index >>> (3 - order);
    }

    private int shiftOf(int index) {
        return (index & ((1 << (3 - order)) - 1)) << order;
    }
}
