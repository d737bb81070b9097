package io.qfuse.qcow2.testing;

import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A file in memory that remembers every change and every barrier, and tells what a disk may hold if the power fails at
 * any moment of that history.
 *
 * <p>What a barrier covered is there. Of what came later, each sector of 512 bytes holds the state after any number of
 * the changes that touched it: the page cache shows a sector's changes in order, but writes sectors back in any order or
 * not at all. The length is any that the file had since the barrier. So writes are lost, reordered and torn at sectors;
 * how much sticks together is drawn too, from single sectors to megabytes, so that whole writes are lost as often as
 * torn ones.
 *
 * <p>Safe for use by many threads; each change happens at one moment.
 */
public final class PowerLossFile implements HostFile {

    private static final int SECTOR = 512;

    /** The history; guarded by this, as everything below. */
    private final List<Event> events = new ArrayList<>();

    /** When each event had happened. */
    private final List<Integer> moments = new ArrayList<>();

    private final AtomicInteger clock;
    private final MemoryHostFile initial;
    private final MemoryHostFile current;

    /** The state that is safe at a barrier asked for before, to spare replaying all; null before the first. */
    private @Nullable MemoryHostFile durable;

    private int durableEvents;

    /** One thing that happened; {@code size} is the file's length afterwards. */
    private sealed interface Event {

        long size();

        @SuppressWarnings("ArrayRecordComponent") // compared by nobody
        record Write(long offset, byte[] bytes, long size) implements Event {}

        record Zero(long offset, long length, long size) implements Event {}

        record Barrier(long size) implements Event {}
    }

    /** Takes the content of {@code initial}, all of it durable, as its start. */
    public PowerLossFile(MemoryHostFile initial) {
        this(initial, new AtomicInteger());
    }

    /** A file that loses power together with another one: their moments are the same. */
    public PowerLossFile(MemoryHostFile initial, PowerLossFile with) {
        this(initial, with.clock);
    }

    private PowerLossFile(MemoryHostFile initial, AtomicInteger clock) {
        this.initial = initial.copy();
        this.current = initial.copy();
        this.clock = clock;
    }

    /**
     * The changes and barriers so far, those of files that lose power together included: each number from 0 to this one is a
     * moment to lose power at.
     */
    public int moments() {
        return clock.get();
    }

    private void note(Event event) {
        events.add(event);
        moments.add(clock.incrementAndGet());
    }

    /**
     * What the disk may hold after the power failed.
     *
     * @param moment the number of changes and barriers that had happened, 0 to {@link #moments()}
     * @param seed chooses what of the unsynced changes is there; 0 for nothing, 1 for all
     */
    public synchronized MemoryHostFile afterLossAt(int moment, long seed) {
        int found = Collections.binarySearch(moments, moment);
        int happened = found < 0 ? -found - 1 : found + 1;
        int barrier = happened;
        while (barrier > 0 && !(events.get(barrier - 1) instanceof Event.Barrier)) {
            barrier--;
        }
        MemoryHostFile disk = durableAt(barrier).copy();
        List<Event> pending = events.subList(barrier, happened);
        Survival survival = new Survival(seed, pending.size());
        long size = survival.size(disk.size(), pending);
        for (int i = 0; i < pending.size(); i++) {
            apply(pending.get(i), disk, i, survival);
        }
        disk.truncate(size);
        return disk;
    }

    private MemoryHostFile durableAt(int barrier) {
        MemoryHostFile state = durable;
        if (state == null || durableEvents > barrier) {
            state = initial.copy();
            durableEvents = 0;
        }
        Survival all = new Survival(Survival.ALL, 1);
        for (Event event : events.subList(durableEvents, barrier)) {
            apply(event, state, 0, all);
            state.truncate(event.size());
        }
        durable = state;
        durableEvents = barrier;
        return state;
    }

    private static void apply(Event event, MemoryHostFile disk, int index, Survival survival) {
        if (event instanceof Event.Write write) {
            for (int done = 0; done < write.bytes.length; ) {
                long at = write.offset + done;
                int part = (int) Math.min(SECTOR - at % SECTOR, write.bytes.length - done);
                if (survival.reaches(at, index)) {
                    disk.write(at, write.bytes, done, part);
                }
                done += part;
            }
        } else if (event instanceof Event.Zero zero) {
            long end = zero.offset + zero.length;
            long at = disk.seekData(zero.offset);
            while (at >= 0 && at < end) { // only what is there can be zeroed
                long part = Math.min(SECTOR - at % SECTOR, end - at);
                if (survival.reaches(at, index)) {
                    disk.punchHole(at, part);
                }
                at = disk.seekData(at + part);
            }
        }
    }

    /** How many of the unsynced changes each sector has seen. */
    private static final class Survival {

        static final long NOTHING = 0;
        static final long ALL = 1;
        private static final int[] REGION_BITS = {9, 9, 12, 16, 21};

        private final long seed;
        private final int changes;
        private final Random random;
        private final int regionBits;

        Survival(long seed, int changes) {
            this.seed = seed;
            this.changes = changes;
            this.random = new Random(seed);
            this.regionBits = REGION_BITS[random.nextInt(REGION_BITS.length)];
        }

        boolean reaches(long offset, int change) {
            if (seed == NOTHING || seed == ALL) {
                return seed == ALL;
            }
            Random region = new Random(seed ^ (offset >>> regionBits) * 0x9e3779b97f4a7c15L);
            return change < limit(region);
        }

        long size(long before, List<Event> pending) {
            int seen = seed == NOTHING ? 0 : seed == ALL ? changes : limit(random);
            return seen == 0 ? before : pending.get(seen - 1).size();
        }

        private int limit(Random from) {
            return switch (from.nextInt(3)) {
                case 0 -> 0;
                case 1 -> changes;
                default -> from.nextInt(changes + 1);
            };
        }
    }

    @Override
    public void write(long offset, long address, int length) {
        byte[] bytes = new byte[length];
        NativeBuffer.get(address, bytes, 0, length);
        writeOwned(offset, bytes);
    }

    @Override
    public void write(long offset, byte[] from, int start, int length) {
        writeOwned(offset, Arrays.copyOfRange(from, start, start + length));
    }

    private synchronized void writeOwned(long offset, byte[] bytes) {
        current.write(offset, bytes, 0, bytes.length);
        note(new Event.Write(offset, bytes, current.size()));
    }

    @Override
    public synchronized void writeZeroes(long offset, long length) {
        current.writeZeroes(offset, length);
        note(new Event.Zero(offset, length, current.size()));
    }

    @Override
    public synchronized void punchHole(long offset, long length) {
        current.punchHole(offset, length);
        note(new Event.Zero(offset, length, current.size()));
    }

    @Override
    public synchronized void allocate(long offset, long length) {
        current.allocate(offset, length);
        note(new Event.Zero(offset, 0, current.size()));
    }

    @Override
    public synchronized void truncate(long size) {
        long lost = Math.max(0, current.size() - size);
        current.truncate(size);
        note(new Event.Zero(size, lost, size));
    }

    @Override
    public synchronized void sync() {
        note(new Event.Barrier(current.size()));
    }

    @Override
    public Path path() {
        return current.path();
    }

    @Override
    public long size() {
        return current.size();
    }

    @Override
    public long allocatedBytes() {
        return current.allocatedBytes();
    }

    @Override
    public void read(long offset, long address, int length) {
        current.read(offset, address, length);
    }

    @Override
    public void read(long offset, byte[] into) {
        current.read(offset, into);
    }

    @Override
    public long seekData(long offset) {
        return current.seekData(offset);
    }

    @Override
    public long seekHole(long offset) {
        return current.seekHole(offset);
    }

    @Override
    public void close() {
        current.close();
    }
}
