package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.FlushFailureTest.Start;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Many threads change and read the same sectors beside checkpoints and resizes: each sector that is read is whole, and of a
 * change that had begun and that no later one had replaced already.
 */
final class OverlappingUsersTest {

    private static final int SEEDS = Boolean.getBoolean("qfuse.long") ? 40 : 1;
    private static final int USERS = 5;
    private static final int STEPS = 150;
    /** All that is used of the disk, so that nearly all accesses overlap. */
    private static final int SECTORS = 256;

    private static final int MOST = 40;
    private static final long TINY_CACHE = 16 << 10;

    /** Sectors that were changed to, or read as, the numbers {@code ids}, at some moment between two ticks. */
    private record Access(boolean change, int first, List<Long> ids, long begin, long end) {

        long id(int sector) {
            return ids.get(sector - first);
        }

        boolean touches(int sector) {
            return sector >= first && sector < first + ids.size();
        }
    }

    /** A file whose calls happen one after the other, as a disk's sectors are written whole. */
    private static final class WholeCalls extends ForwardingFile {

        WholeCalls(MemoryHostFile file) {
            super(new TestDisk.KeptOpen(file));
        }

        /** Between any two calls others get on. */
        private static void letOthersCome() {
            LockSupport.parkNanos(1);
        }

        @Override
        public void read(long offset, long address, int length) throws IOException {
            letOthersCome();
            synchronized (this) {
                super.read(offset, address, length);
            }
        }

        @Override
        public void write(long offset, long address, int length) throws IOException {
            letOthersCome();
            synchronized (this) {
                super.write(offset, address, length);
            }
        }

        @Override
        public void writeZeroes(long offset, long length) throws IOException {
            letOthersCome();
            synchronized (this) {
                super.writeZeroes(offset, length);
            }
        }

        @Override
        public void punchHole(long offset, long length) throws IOException {
            letOthersCome();
            synchronized (this) {
                super.punchHole(offset, length);
            }
        }
    }

    private static final class User implements Callable<Void> {

        private final Disk disk;
        private final AtomicLong clock;
        private final Random random;
        private final List<Access> accesses = new ArrayList<>();

        User(Disk disk, AtomicLong clock, long seed) {
            this.disk = disk;
            this.clock = clock;
            this.random = new Random(seed);
        }

        @Override
        public Void call() throws IOException {
            try (NativeBuffer buffer = NativeBuffer.allocate(SECTORS * Sectors.SIZE)) {
                for (int i = 0; i < STEPS; i++) {
                    int first = random.nextInt(SECTORS);
                    step(first, 1 + random.nextInt(Math.min(MOST, SECTORS - first)), buffer);
                }
            }
            return null;
        }

        private void step(int first, int count, NativeBuffer buffer) throws IOException {
            long offset = (long) first * Sectors.SIZE;
            int length = count * Sectors.SIZE;
            long begin = clock.incrementAndGet();
            switch (random.nextInt(10)) {
                case 0, 1, 2, 3 -> {
                    for (int i = 0; i < count; i++) {
                        Sectors.fill(buffer.address() + (long) i * Sectors.SIZE, Sectors.SIZE, begin << 16 | first + i);
                    }
                    disk.write(offset, buffer.address(), length);
                    note(true, first, begin, Sectors.identities(buffer, count));
                }
                case 4, 5 -> {
                    disk.writeZeroes(offset, length, random.nextBoolean());
                    Sectors.fill(buffer.address(), length, 0);
                    note(true, first, begin, Sectors.identities(buffer, count));
                }
                case 6 -> disk.allocate(offset, length);
                default -> read(first, count, buffer);
            }
        }

        void read(int first, int count, NativeBuffer buffer) throws IOException {
            long begin = clock.incrementAndGet();
            disk.read((long) first * Sectors.SIZE, buffer.address(), count * Sectors.SIZE);
            note(false, first, begin, Sectors.identities(buffer, count));
        }

        private void note(boolean change, int first, long begin, List<Long> ids) {
            accesses.add(new Access(change, first, ids, begin, clock.incrementAndGet()));
        }
    }

    @ParameterizedTest
    @MethodSource("io.qfuse.qcow2.FlushFailureTest#starts")
    void what_is_read_is_what_some_order_of_all_changes_allows(Start start) throws IOException {
        for (long seed = 1; seed <= SEEDS; seed++) {
            String violation = violation(use(start, seed));
            assertThat(violation).as("%s, seed %d", start, seed).isNull();
        }
    }

    private static List<Access> use(Start start, long seed) throws IOException {
        MemoryHostFile image = start.image().copy();
        MemoryHostFile data = start.data() == null ? null : start.data().copy();
        AtomicLong clock = new AtomicLong();
        List<Access> accesses = new ArrayList<>();
        try (Disk disk = open(start, image, data)) {
            look(disk, clock, accesses, true);
            List<User> users = new ArrayList<>();
            for (int i = 0; i < USERS; i++) {
                users.add(new User(disk, clock, seed * 100 + i));
            }
            together(disk, users, seed);
            users.forEach(user -> accesses.addAll(user.accesses));
            look(disk, clock, accesses, false);
        }
        CheckedImage.requireClean(image, start + ", seed " + seed);
        try (Disk disk = open(start, image, data)) {
            look(disk, clock, accesses, false);
        }
        return accesses;
    }

    private static Disk open(Start start, MemoryHostFile image, @Nullable MemoryHostFile data) throws IOException {
        HostFile guest = data == null ? null : new WholeCalls(data);
        return TestDisk.open(new WholeCalls(image), guest, start.base().copy(), TINY_CACHE);
    }

    /** Notes what all sectors hold while nobody uses them. */
    private static void look(Disk disk, AtomicLong clock, List<Access> accesses, boolean initial) throws IOException {
        User user = new User(disk, clock, 0);
        try (NativeBuffer buffer = NativeBuffer.allocate(SECTORS * Sectors.SIZE)) {
            user.read(0, SECTORS, buffer);
        }
        Access all = user.accesses.get(0);
        accesses.add(new Access(initial, 0, all.ids, all.begin, all.end));
    }

    /** Runs all users, and beside them flushes, and resizes behind what they use. */
    private static void together(Disk disk, List<User> users, long seed) {
        AtomicInteger busy = new AtomicInteger(users.size());
        List<Callable<Void>> tasks = new ArrayList<>();
        for (User user : users) {
            tasks.add(() -> {
                try {
                    return user.call();
                } finally {
                    busy.decrementAndGet();
                }
            });
        }
        tasks.add(() -> {
            while (busy.get() > 0) {
                disk.flush();
            }
            return null;
        });
        Random random = new Random(seed);
        tasks.add(() -> {
            while (busy.get() > 0) {
                disk.resize((long) (SECTORS + random.nextInt(SECTORS)) * Sectors.SIZE);
            }
            return null;
        });
        ConcurrencyTest.together(tasks);
    }

    /** What some read shows that it must not; null where all is well. */
    private static @Nullable String violation(List<Access> accesses) {
        for (int sector = 0; sector < SECTORS; sector++) {
            int at = sector;
            List<Access> touching = accesses.stream().filter(a -> a.touches(at)).toList();
            List<Access> changes = touching.stream().filter(Access::change).toList();
            for (Access read : touching) {
                if (!read.change && changes.stream().noneMatch(c -> isShown(c, read, at, changes))) {
                    return "sector " + at + " read as " + Long.toHexString(read.id(at)) + " by " + read;
                }
            }
        }
        return null;
    }

    /** Whether a read may show a change: it had begun, and none that came behind it was over. */
    private static boolean isShown(Access change, Access read, int sector, List<Access> changes) {
        return change.id(sector) == read.id(sector)
                && change.begin < read.end
                && changes.stream().noneMatch(later -> change.end < later.begin && later.end < read.begin);
    }

    @Test
    void the_model_tells_stale_torn_and_foreign_sectors_from_those_that_an_order_allows() {
        Access one = new Access(true, 0, List.of(1L), 1, 2);
        Access two = new Access(true, 0, List.of(2L), 3, 6);
        Access three = new Access(true, 0, List.of(3L), 4, 7);
        assertThat(violation(Arrays.asList(one, two, three, read(1, 5, 8)))).isNull();
        assertThat(violation(Arrays.asList(one, two, three, read(2, 8, 9)))).isNull();
        assertThat(violation(Arrays.asList(one, two, three, read(3, 8, 9)))).isNull();
        assertThat(violation(Arrays.asList(one, two, three, read(1, 8, 9)))).contains("sector 0");
        assertThat(violation(Arrays.asList(one, two, three, read(4, 5, 8)))).contains("sector 0");
        assertThat(violation(Arrays.asList(one, two, three, read(2, 1, 2)))).contains("sector 0");
    }

    private static Access read(long id, long begin, long end) {
        return new Access(false, 0, List.of(id), begin, end);
    }
}
