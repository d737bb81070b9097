package io.qfuse.cache;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A piece of a metadata table in memory, of big-endian numbers of 64 bits.
 *
 * <p>Reading needs nothing but the slice and may be done by any thread at any time; a number is read whole. Changing
 * needs a pin ({@link SliceCache#pin}), makes the slice dirty and raises its version.
 */
public final class Slice {

    /** No rank yet: only read so far. */
    private static final int UNRANKED = -1;

    private static final VarHandle WORDS = MethodHandles.arrayElementVarHandle(long[].class);

    private final SliceCache owner;
    private final Long key;
    private final long offset;
    /** Changed under the monitor only, by release stores. */
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

    /** The number at a multiple of 8 bytes. */
    public long getLong(int byteIndex) {
        return (long) WORDS.getAcquire(words, word(byteIndex));
    }

    /** Sets the number at a multiple of 8 bytes. */
    public synchronized void setLong(int byteIndex, long value) {
        if (pins == 0) {
            throw new IllegalStateException("change of the unpinned slice at 0x" + Long.toHexString(offset));
        }
        WORDS.setRelease(words, word(byteIndex), value);
        markDirty();
    }

    /** Sets two neighbouring numbers at one moment, as far as captures see it. */
    public synchronized void setLongs(int byteIndex, long first, long second) {
        setLong(byteIndex, first);
        setLong(byteIndex + Long.BYTES, second);
    }

    private static int word(int byteIndex) {
        if ((byteIndex & (Long.BYTES - 1)) != 0) {
            throw new IllegalArgumentException("no number begins at the index " + byteIndex);
        }
        return byteIndex / Long.BYTES;
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

    /** Ends the life of the slice with its changes; false, and nothing done, where it is pinned. */
    synchronized boolean drop() {
        if (pins > 0) {
            return false;
        }
        if (dirty) {
            markClean();
        }
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
