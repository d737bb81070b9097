package io.qfuse.cache;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The slices of one file's metadata tables in memory. Safe for use by many threads.
 *
 * <h2>Where a slice is</h2>
 *
 * A slice is <em>live</em> from its publication until it is <em>retired</em>, and while it is live it is in one or both
 * of two places: the shared cache ({@code cached}), which lets go of it when it likes, and this cache's own map of held
 * slices ({@code held}), which never does. A third place, the front table, is a shortcut to either and proves nothing by
 * itself: it passes only what is not retired.
 *
 * <ol>
 *   <li>A key has at most one live slice.
 *   <li>A pinned or dirty slice is held, so it is live.
 *   <li>A retired slice is clean and unpinned, is in neither place, and stays so.
 *   <li>While a key has no live slice, the store holds its current content.
 * </ol>
 *
 * <h2>Who moves it</h2>
 *
 * <ul>
 *   <li><em>Birth</em>: only under the key's load lock, after a look at both places that is atomic with evictions and
 *       pins because it is made inside {@code compute} of the shared cache. The slice is loaded under the load lock alone.
 *   <li><em>Pin</em> of a slice that is not held: inside {@code compute}, so that the slice cannot be evicted between
 *       being found and being held.
 *   <li><em>Eviction</em>: the listener, called inside the removal, clears {@code cached} and retires what is not held.
 *   <li><em>Release</em>, when a held slice is clean and unpinned: first back into the shared cache, then out of the held
 *       map. If it was evicted between the two steps, or was never cached, it retires with the second.
 * </ul>
 *
 * <h2>Locks</h2>
 *
 * Load lock, then the shared cache's own, then the slice's monitor, then the held map's own. Nothing is called on the
 * shared cache under a slice's monitor, and no I/O is done under anything but a load lock.
 *
 * <h2>Why not the obvious way</h2>
 *
 * A {@code LoadingCache} loads under the lock of a hash bin, which stalls strangers, and has no answer to an eviction of
 * a dirty slice but to write it there and then: out of order with its siblings, and under that lock. Evicting only what
 * is clean makes the order of writes the checkpoint's business alone.
 *
 * <p>Someone who got a slice for reading keeps reading it after it retired. That is right as long as nobody may change
 * the entries that he reads: whoever changes entries excludes their readers by a lock of his own, and lets them go only
 * after the change; a reader who looks the slice up after that finds the live one.
 */
public final class SliceCache {

    /** Ranks are numbered from 0 to below this. */
    public static final int RANKS = 8;

    private static final int LOAD_LOCKS = 64;
    /** One in so many hits of the front table is told to the shared cache, so that it knows what is popular. */
    private static final int TOLD_HITS = 64;

    private final CacheBudget budget;
    private final ConcurrentMap<Long, Slice> shared;
    private final long keyBase;
    private final SliceStore store;
    private final int sliceSize;
    private final FrontTable front;
    private final ConcurrentMap<Long, Slice> held = new ConcurrentHashMap<>();
    private final LoadLock[] loadLocks = new LoadLock[LOAD_LOCKS];

    private final AtomicLong[] dirtyBytes = new AtomicLong[RANKS];

    /** Protects the birth of the slices whose keys fall on it, and the scratch memory that they are loaded into. */
    private static final class LoadLock extends ReentrantLock {
        private static final long serialVersionUID = 1L;

        private transient byte @Nullable [] scratch;

        byte[] scratch(int size) {
            byte[] bytes = scratch;
            if (bytes == null) {
                bytes = new byte[size];
                scratch = bytes;
            }
            return bytes;
        }
    }

    /**
     * An empty cache.
     *
     * @param budget whose memory it uses
     * @param store where slices are loaded from
     * @param sliceSize bytes of a slice, a power of two of at least 512
     */
    public SliceCache(CacheBudget budget, SliceStore store, int sliceSize) {
        if (sliceSize < 512 || Integer.bitCount(sliceSize) != 1) {
            throw new IllegalArgumentException("slice size " + sliceSize);
        }
        this.budget = budget;
        this.shared = budget.slices();
        this.keyBase = budget.nextCache();
        this.store = store;
        this.sliceSize = sliceSize;
        this.front = new FrontTable(sliceSize);
        for (int i = 0; i < LOAD_LOCKS; i++) {
            loadLocks[i] = new LoadLock();
        }
        for (int i = 0; i < RANKS; i++) {
            dirtyBytes[i] = new AtomicLong();
        }
    }

    /**
     * The slice at an offset, a multiple of the slice size, for reading; loaded where it is not there.
     *
     * @param rank what the lookup counts as, 0 to below {@link #RANKS}
     */
    public Slice get(long offset, int rank) throws IOException {
        LookupCounts lookups = budget.lookups(rank);
        Slice slice = front.find(offset);
        if (slice != null) {
            lookups.hit();
            if (ThreadLocalRandom.current().nextInt(TOLD_HITS) == 0) {
                var unused = shared.get(slice.key());
            }
            return slice;
        }
        Long key = key(offset);
        slice = held.get(key);
        if (slice == null || slice.retired()) {
            slice = shared.get(key);
        }
        if (slice == null) {
            slice = load(offset, key, lookups);
        } else {
            lookups.hit();
        }
        front.put(slice);
        return slice;
    }

    private Slice load(long offset, Long key, LookupCounts lookups) throws IOException {
        LoadLock lock = loadLock(offset);
        lock.lock();
        try {
            Slice live = findLive(key);
            if (live != null) {
                lookups.hit();
                return live;
            }
            lookups.miss();
            Slice slice = read(lock, offset, key);
            shared.compute(key, (k, none) -> slice.enterCacheNew());
            return slice;
        } finally {
            lock.unlock();
        }
    }

    /**
     * The slice at an offset for changing, loaded where it is not there; to be unpinned.
     *
     * @param rank when a checkpoint writes it, 0 to below {@link #RANKS}; the same as long as it is dirty
     * @throws SliceConflictException where it is dirty with another rank
     */
    public Slice pin(long offset, int rank) throws IOException {
        Slice slice = front.find(offset);
        if (slice == null || !slice.pinHeld(checkedRank(rank))) {
            return findAndPin(offset, checkedRank(rank));
        }
        budget.lookups(rank).hit();
        return slice;
    }

    private Slice findAndPin(long offset, int rank) throws IOException {
        Long key = key(offset);
        LoadLock lock = loadLock(offset);
        lock.lock();
        try {
            Slice slice = pinAtomically(key, rank);
            if (slice == null) {
                budget.lookups(rank).miss();
                slice = read(lock, offset, key);
                slice.hold(rank);
            } else {
                budget.lookups(rank).hit();
            }
            front.put(slice);
            return slice;
        } finally {
            lock.unlock();
        }
    }

    /** Ends one pin. */
    public void unpin(Slice slice) {
        if (slice.unpin()) {
            release(slice);
        }
    }

    /**
     * Drops the slices of a range with their changes: of tables that are freed.
     *
     * @throws SliceConflictException where one is pinned
     */
    public void discard(long offset, long length) {
        long first = offset & -sliceSize;
        long end = Math.addExact(offset, length);
        if ((end - first) / sliceSize <= shared.size() + held.size()) {
            for (long at = first; at < end; at += sliceSize) {
                discard(at);
            }
            return;
        }
        // A wide range holds fewer slices than slots: go through the slices.
        List<Slice> found = new ArrayList<>(held.values());
        found.addAll(shared.values());
        for (Slice slice : found) {
            if (slice.owner() == this && slice.offset() >= first && slice.offset() < end) {
                discard(slice.offset());
            }
        }
    }

    private void discard(long offset) {
        Long key = key(offset);
        LoadLock lock = loadLock(offset);
        lock.lock();
        try {
            Slice slice = findLive(key);
            if (slice == null) {
                return;
            }
            boolean[] dropped = new boolean[1];
            shared.compute(key, (k, found) -> {
                dropped[0] = slice.drop();
                return dropped[0] ? null : found;
            });
            if (!dropped[0]) {
                throw new SliceConflictException("still in use: " + slice);
            }
            front.remove(slice);
        } finally {
            lock.unlock();
        }
    }

    /** Copies of all slices of a rank that were dirty before the call and perhaps some that became so, by offset. */
    public List<CapturedSlice> capture(int rank) {
        List<CapturedSlice> captured = new ArrayList<>();
        if (dirtyBytes(rank) == 0) {
            return captured;
        }
        for (Slice slice : held.values()) {
            CapturedSlice copy = slice.capture(rank);
            if (copy != null) {
                captured.add(copy);
            }
        }
        captured.sort(Comparator.comparingLong(CapturedSlice::offset));
        return captured;
    }

    /** Takes note that a copy is stored: its slice is clean unless it changed since. */
    public void written(CapturedSlice captured) {
        if (captured.slice().written(captured.version())) {
            release(captured.slice());
        }
    }

    /** The bytes of all dirty slices. */
    public long dirtyBytes() {
        long sum = 0;
        for (AtomicLong bytes : dirtyBytes) {
            sum += bytes.get();
        }
        return sum;
    }

    /** The bytes of the dirty slices of a rank. */
    public long dirtyBytes(int rank) {
        return dirtyBytes[checkedRank(rank)].get();
    }

    /** Pins the live slice of a key. Under its load lock, a null tells that none is live, and stays true. */
    private @Nullable Slice pinAtomically(Long key, int rank) {
        Slice[] pinned = new Slice[1];
        shared.compute(key, (k, found) -> {
            Slice slice = held.get(k);
            if (found != null) {
                found.hold(rank);
                pinned[0] = found;
            } else if (slice != null && slice.pinHeld(rank)) {
                pinned[0] = slice;
            }
            return found;
        });
        return pinned[0];
    }

    /** The live slice of a key. Under its load lock, a null stays true until the caller publishes one. */
    private @Nullable Slice findLive(Long key) {
        Slice[] live = new Slice[1];
        Slice cached = shared.compute(key, (k, found) -> {
            // Neither evictions nor pins of this key happen now: what is not here and not held is nowhere.
            live[0] = held.get(k);
            return found;
        });
        Slice slice = cached != null ? cached : live[0];
        return slice == null || slice.retired() ? null : slice;
    }

    private Slice read(LoadLock lock, long offset, Long key) throws IOException {
        byte[] scratch = lock.scratch(sliceSize);
        store.load(offset, scratch);
        Slice slice = new Slice(this, key, offset, sliceSize);
        slice.fill(scratch);
        return slice;
    }

    private void release(Slice slice) {
        if (!slice.cached()) {
            shared.compute(slice.key(), (k, found) -> slice.enterCache() ? slice : found);
        }
        slice.letGo(); // an eviction since then has cleared the mark, and the slice retires here
    }

    private LoadLock loadLock(long offset) {
        return loadLocks[(int) (offset / sliceSize % LOAD_LOCKS)];
    }

    private Long key(long offset) {
        if (offset < 0 || (offset & (sliceSize - 1)) != 0) {
            throw new IllegalArgumentException("no slice begins at 0x" + Long.toHexString(offset));
        }
        return keyBase | CacheBudget.sector(offset);
    }

    private static int checkedRank(int rank) {
        if (rank < 0 || rank >= RANKS) {
            throw new IllegalArgumentException("rank " + rank);
        }
        return rank;
    }

    /** Called by slices. */
    ConcurrentMap<Long, Slice> held() {
        return held;
    }

    /** Called by slices under their monitor. */
    void countDirty(int rank, int bytes) {
        dirtyBytes[rank].addAndGet(bytes);
    }

    /** Called by slices under their monitor. */
    void noteEviction(Slice slice) {
        if (slice.retired()) {
            front.remove(slice);
        }
    }
}
