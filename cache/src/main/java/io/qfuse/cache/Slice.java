package io.qfuse.cache;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A piece of a metadata table in memory, of big-endian numbers at their natural alignment.
 *
 * <p>Reading needs nothing but the slice and may be done by any thread at any time; a number is read whole. Changing
 * needs a pin ({@link SliceCache#pin}), makes the slice dirty and raises its version. Numbers that share eight bytes may
 * be changed by several threads at once.
 */
public final class Slice {

    /** No rank yet: only read so far. */
    private static final int UNRANKED = -1;

    private static final VarHandle WORDS = MethodHandles.arrayElementVarHandle(long[].class);

    private final SliceCache owner;
    private final Long key;
    private final long offset;
    /** Eight bytes each, the first the most significant; changed under the monitor only, by release stores. */
    private final long[] words;

    // The state; changed under the monitor only. What the flags mean together stands in SliceCache.
    private int rank = UNRANKED;
    private int pins;
    private boolean dirty;
    private long version;
    private boolean held;
    private boolean cached;
    private volatile boolean retired;

    Slice(SliceCache owner, Long key, long offset, int size) {
        this.owner = owner;
        this.key = key;
        this.offset = offset;
        this.words = new long[size / Long.BYTES];
    }

    /** Where the slice begins, in bytes. */
    public long offset() {
        return offset;
    }

    /** Its bytes. */
    public int size() {
        return words.length * Long.BYTES;
    }

    /** The rank that it was last pinned with, -1 before. */
    public synchronized int rank() {
        return rank;
    }

    /** The 64 bits at a multiple of 8 bytes. */
    public long getLong(int byteIndex) {
        return word(byteIndex, Long.BYTES);
    }

    /** The 32 bits at a multiple of 4 bytes. */
    public int getInt(int byteIndex) {
        return (int) (word(byteIndex, Integer.BYTES) >>> shift(byteIndex, Integer.BYTES));
    }

    /** The 16 bits at a multiple of 2 bytes. */
    public short getShort(int byteIndex) {
        return (short) (word(byteIndex, Short.BYTES) >>> shift(byteIndex, Short.BYTES));
    }

    /** The byte at an index. */
    public byte getByte(int byteIndex) {
        return (byte) (word(byteIndex, Byte.BYTES) >>> shift(byteIndex, Byte.BYTES));
    }

    /** Sets the 64 bits at a multiple of 8 bytes. */
    public void setLong(int byteIndex, long value) {
        set(byteIndex, Long.BYTES, -1L, value);
    }

    /** Sets the 32 bits at a multiple of 4 bytes. */
    public void setInt(int byteIndex, int value) {
        set(byteIndex, Integer.BYTES, 0xffff_ffffL, value);
    }

    /** Sets the 16 bits at a multiple of 2 bytes. */
    public void setShort(int byteIndex, short value) {
        set(byteIndex, Short.BYTES, 0xffffL, value);
    }

    /** Sets the byte at an index. */
    public void setByte(int byteIndex, byte value) {
        set(byteIndex, Byte.BYTES, 0xffL, value);
    }

    /** Sets two neighbouring 64 bits at one moment, as far as captures see it. */
    public synchronized void setLongs(int byteIndex, long first, long second) {
        setLong(byteIndex, first);
        setLong(byteIndex + Long.BYTES, second);
    }

    private synchronized void set(int byteIndex, int width, long mask, long value) {
        if (pins == 0) {
            throw new IllegalStateException("change of the unpinned slice at 0x" + Long.toHexString(offset));
        }
        int shift = shift(byteIndex, width);
        long others = word(byteIndex, width) & ~(mask << shift);
        WORDS.setRelease(words, byteIndex / Long.BYTES, others | (value & mask) << shift);
        markDirty();
    }

    private long word(int byteIndex, int width) {
        if ((byteIndex & (width - 1)) != 0) {
            throw new IllegalArgumentException(width + " bytes at the unaligned index " + byteIndex);
        }
        return (long) WORDS.getAcquire(words, byteIndex >> 3);
    }

    private static int shift(int byteIndex, int width) {
        return (Long.BYTES - width - (byteIndex & (Long.BYTES - 1))) * Byte.SIZE;
    }

    private void markDirty() {
        version++;
        if (!dirty) {
            dirty = true;
            owner.countDirty(rank, size());
        }
    }

    private void markClean() {
        dirty = false;
        owner.countDirty(rank, -size());
    }

    /** Fills a slice that nobody else knows yet. */
    void fill(byte[] bytes) {
        ByteBuffer.wrap(bytes).asLongBuffer().get(words);
    }

    Long key() {
        return key;
    }

    SliceCache owner() {
        return owner;
    }

    boolean retired() {
        return retired;
    }

    /** Another pin for a slice that is held; false where it is not. */
    synchronized boolean pinHeld(int newRank) {
        if (held) {
            pin(newRank);
        }
        return held;
    }

    /** Holds and pins a slice that is live and stays so during the call. */
    synchronized void hold(int newRank) {
        pin(newRank);
        held = true;
        owner.held().put(key, this);
    }

    private void pin(int newRank) {
        if (dirty && newRank != rank) {
            throw new SliceConflictException(
                    "slice at 0x" + Long.toHexString(offset) + " is dirty with rank " + rank + ", not " + newRank);
        }
        pins++;
        rank = newRank;
    }

    /** Whether that was the last pin of a clean slice. */
    synchronized boolean unpin() {
        if (pins == 0) {
            throw new IllegalStateException("unpinned too often: slice at 0x" + Long.toHexString(offset));
        }
        pins--;
        return pins == 0 && !dirty;
    }

    /** Makes a pinned slice all zeroes and dirty, as a table begins. */
    synchronized void clear(int newRank) {
        if (dirty) {
            markClean(); // under its old rank
        }
        rank = newRank;
        for (int i = 0; i < words.length; i++) {
            WORDS.setRelease(words, i, 0L);
        }
        markDirty();
    }

    /** Forgets the rank of changes that are about to be overwritten whole. */
    synchronized void abandonChanges() {
        if (dirty) {
            markClean();
        }
    }

    /** Notes that the slice goes into the shared cache; false where it is held no more and must not. */
    synchronized boolean enterCache() {
        cached |= held;
        return held;
    }

    /** Notes that a slice just made goes into the shared cache. */
    synchronized Slice enterCacheNew() {
        cached = true;
        return this;
    }

    synchronized boolean cached() {
        return cached;
    }

    /** Ends the hold where nothing needs it any more. */
    synchronized void letGo() {
        if (held && pins == 0 && !dirty) {
            held = false;
            owner.held().remove(key, this);
            retired = !cached;
        }
    }

    /** The shared cache dropped its entry. */
    synchronized void evicted() {
        cached = false;
        if (!held) {
            retired = true;
        }
        owner.noteEviction(this);
    }

    /** Ends the life of the slice; false, and nothing done, where it is pinned, or dirty and that matters. */
    synchronized boolean drop(boolean evenDirty) {
        if (pins > 0 || (dirty && !evenDirty)) {
            return false;
        }
        abandonChanges();
        if (held) {
            held = false;
            owner.held().remove(key, this);
        }
        cached = false;
        retired = true;
        return true;
    }

    synchronized @Nullable CapturedSlice capture(int wantedRank) {
        if (!dirty || rank != wantedRank) {
            return null;
        }
        byte[] bytes = new byte[size()];
        ByteBuffer.wrap(bytes).asLongBuffer().put(words);
        return new CapturedSlice(this, version, bytes);
    }

    /** Takes note that a version is stored; whether the slice is now clean and unpinned. */
    synchronized boolean written(long storedVersion) {
        if (dirty && version == storedVersion) {
            markClean();
        }
        return !dirty && pins == 0;
    }

    @Override
    public synchronized String toString() {
        return "slice at 0x" + Long.toHexString(offset) + Arrays.asList(rank, pins, dirty, held, cached, retired);
    }
}
