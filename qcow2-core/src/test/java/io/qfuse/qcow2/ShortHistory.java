package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.SmallImage.Trait;
import io.qfuse.qcow2.check.ImageRepair;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ImageBitmaps;
import io.qfuse.qcow2.testing.ImageBitmaps.Bitmap;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.PossibleDisks;
import io.qfuse.qcow2.testing.VolatileFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A disk whose power may fail at any moment of a few operations, each of which is looked at as it comes. In what is left
 *
 * <ol>
 *   <li>the check finds leaks at worst, behind the repair of an image that is still marked dirty;
 *   <li>every sector that was flushed reads as it was, or as something written to it since;
 *   <li>every other sector reads as one of the contents that it has had, nothing from elsewhere;
 *   <li>a snapshot reads as it was taken, a bitmap is marked in use or has all sectors that have changed;
 *   <li>going on is possible, and leaves leaks at worst again.
 * </ol>
 */
final class ShortHistory implements AutoCloseable {

    private static final int SECTOR = VolatileFile.SECTOR;

    /** What a sector may hold once {@code operation} has begun. */
    @SuppressWarnings("ArrayRecordComponent") // compared by nobody
    private record Version(int operation, byte[] content) {}

    /**
     * How much of each moment is looked at.
     *
     * @param most all of its states where they are no more than this
     * @param some so many of them otherwise
     * @param used one in so many is used after it was looked at
     */
    record Effort(int most, int some, int used) {}

    /** What was looked at. */
    static final class Tally {
        private long histories;
        private long moments;
        private long sampledMoments;
        private long states;
        private long sampledStates;

        @Override
        public String toString() {
            return histories + " histories, " + (moments - sampledMoments) + " moments with all of their "
                    + (states - sampledStates) + " states, " + sampledMoments + " moments with " + sampledStates
                    + " states by chance";
        }
    }

    private final SmallImage start;
    private final String name;
    private final Effort effort;
    private final Tally tally;
    private final Random random = new Random(1);
    private final Set<Long> seen = new HashSet<>();
    private final VolatileFile image;
    private final @Nullable VolatileFile data;
    private final PossibleDisks possible;
    private final List<List<Version>> sectors = new ArrayList<>();
    private final List<Integer> sizes = new ArrayList<>(); // in sectors; the last one is the present one
    private final NativeBuffer buffer;
    private final NativeBuffer lookedAt; // an operation may be under way, and use the other one
    private final Disk disk;
    private boolean watching;
    private boolean growing;
    private int operation;
    private int durable;
    private long lastWord = 1L << 32;

    /**
     * Opens the disk.
     *
     * @param effort how much of each moment is looked at
     * @param watching whether opening it is looked at already
     * @param seam what lies between the disk and its host
     */
    ShortHistory(
            SmallImage start, String name, Effort effort, Tally tally, boolean watching, UnaryOperator<HostFile> seam)
            throws IOException {
        this.start = start;
        this.name = start + ": " + name;
        this.effort = effort;
        this.tally = tally;
        this.watching = watching;
        byte[] content = start.content();
        for (int at = 0; at < content.length; at += SECTOR) {
            sectors.add(new ArrayList<>(List.of(new Version(0, Arrays.copyOfRange(content, at, at + SECTOR)))));
        }
        sizes.add(sectors.size());
        this.buffer = NativeBuffer.allocate(content.length + (1 << 20));
        this.lookedAt = NativeBuffer.allocate(content.length + (1 << 20));
        this.image = new VolatileFile(start.image(), this::look);
        MemoryHostFile before = start.data();
        this.data = before == null ? null : new VolatileFile(before, this::look);
        this.possible =
                new PossibleDisks(data == null ? List.of(image) : List.of(image, data), effort.most, effort.some);
        HostFile seen = seam.apply(image);
        ImageRepair.ifDirty(seen, HeaderReader.read(seen));
        this.disk = TestDisk.open(seen, data, start.base(), TestDisk.SMALL_CACHE);
        tally.histories++;
    }

    int clusterSize() {
        return start.clusterSize();
    }

    int size() {
        return SECTOR * sizes.get(sizes.size() - 1);
    }

    /** From here on what may be left is looked at. */
    void watch() {
        watching = true;
        look();
    }

    /** Writes what of a range lies within the disk, as the other operations do theirs. */
    void write(int offset, int wanted) throws IOException {
        int length = inside(offset, wanted);
        if (length == 0) {
            return;
        }
        byte[] bytes = new byte[length + 2 * SECTOR];
        int first = offset / SECTOR;
        int end = (offset + length - 1) / SECTOR + 1;
        operation++;
        for (int sector = first; sector < end; sector++) {
            byte[] content = latest(sector).clone();
            byte[] word = new byte[SECTOR];
            SmallImage.fill(word, 0, SECTOR, ++lastWord);
            int from = Math.max(offset, sector * SECTOR);
            int to = Math.min(offset + length, (sector + 1) * SECTOR);
            System.arraycopy(word, 0, content, from - sector * SECTOR, to - from);
            System.arraycopy(word, 0, bytes, from - offset, to - from);
            sectors.get(sector).add(new Version(operation, content));
        }
        NativeBuffer.put(buffer.address(), bytes, 0, length);
        disk.write(offset, buffer.address(), length);
    }

    private int inside(int offset, int wanted) {
        return Math.max(0, Math.min(wanted, size() - offset));
    }

    private byte[] latest(int sector) {
        List<Version> versions = sectors.get(sector);
        return versions.get(versions.size() - 1).content;
    }

    void zero(int offset, int wanted, boolean unmap) throws IOException {
        int length = inside(offset, wanted);
        operation++;
        for (int sector = offset / SECTOR; sector * SECTOR < offset + length; sector++) {
            byte[] content = latest(sector).clone();
            int from = Math.max(offset, sector * SECTOR);
            int to = Math.min(offset + length, (sector + 1) * SECTOR);
            Arrays.fill(content, from - sector * SECTOR, to - sector * SECTOR, (byte) 0);
            sectors.get(sector).add(new Version(operation, content));
        }
        disk.writeZeroes(Math.min(offset, size()), length, unmap);
    }

    void allocate(int offset, int wanted) throws IOException {
        operation++;
        disk.allocate(Math.min(offset, size()), inside(offset, wanted));
    }

    void resize(int to) throws IOException {
        operation++;
        int before = sizes.get(sizes.size() - 1);
        growing = to / SECTOR > before;
        for (int sector = before; sector < to / SECTOR; sector++) {
            if (sector == sectors.size()) {
                sectors.add(new ArrayList<>());
            }
            sectors.get(sector).add(new Version(operation, new byte[SECTOR]));
        }
        sizes.add(to / SECTOR);
        disk.resize(to);
        sizes.clear();
        sizes.add(to / SECTOR);
        durable = growing ? operation : durable;
        growing = false;
        look();
    }

    void flush() throws IOException {
        int before = operation; // more may be done meanwhile
        disk.flush();
        acknowledge(before);
    }

    private void acknowledge(int done) {
        durable = Math.max(durable, done);
        look();
    }

    @Override
    public void close() throws IOException {
        try (buffer;
                lookedAt) {
            disk.close();
            acknowledge(operation);
        }
    }

    /** Gives up, without looking at anything more. */
    void drop() {
        watching = false;
        buffer.close();
        lookedAt.close();
    }

    private void look() {
        if (!watching) {
            return;
        }
        try {
            long before = seen.size();
            long oracle = (operation * 31L + durable) * 31L + sizes.size();
            boolean all = possible.visit(random, (hash, disks) -> {
                if (seen.add(hash * 31 + oracle)) {
                    verify(disks.make(), hash);
                }
            });
            tally.moments++;
            tally.states += seen.size() - before;
            if (!all) {
                tally.sampledMoments++;
                tally.sampledStates += seen.size() - before;
            }
        } catch (IOException e) {
            throw new UncheckedIOException(this + ", at barrier " + durable, e);
        }
    }

    private void verify(List<MemoryHostFile> left, long hash) throws IOException {
        MemoryHostFile file = left.get(0);
        MemoryHostFile guest = data == null ? null : left.get(1);
        String what = name + ", operation " + operation + ", durable " + durable + ", state " + hash;
        try {
            if ((HeaderReader.read(file).incompatible() & Features.DIRTY) != 0) {
                ImageRepair.ifDirty(file, HeaderReader.read(file));
            }
            CheckedImage.requireLeaksAtWorst(file, what);
            List<Bitmap> bitmaps = start.has(Trait.BITMAP) ? ImageBitmaps.read(file) : List.of();
            byte[] content;
            try (Disk after = open(file, guest)) {
                content = TestDisk.read(after, 0, (int) after.size(), lookedAt);
                verifyContent(content, what);
                verifySnapshots(after, what);
                verifyBitmaps(bitmaps, content, what);
                if (hash % effort.used != 0) {
                    return;
                }
                use(after, content);
            }
            CheckedImage.requireLeaksAtWorst(file, what + ", used");
            try (Disk after = open(file, guest)) {
                assertThat(TestDisk.read(after, 0, (int) after.size(), lookedAt))
                        .as("%s, used", what)
                        .isEqualTo(content);
            }
        } catch (IOException e) {
            throw new AssertionError(what, e);
        }
    }

    private Disk open(MemoryHostFile file, @Nullable MemoryHostFile guest) throws IOException {
        return TestDisk.open(new TestDisk.KeptOpen(file), SmallImage.kept(guest), start.base(), TestDisk.SMALL_CACHE);
    }

    private void verifyContent(byte[] content, String what) {
        int there = content.length / SECTOR;
        assertThat(sizes).as(what).contains(there);
        boolean grown =
                growing && there == sizes.get(sizes.size() - 1); // its size tells what it was made of is durable
        for (int sector = 0; sector < there; sector++) {
            if (!isPossible(sector, content, grown ? operation : durable)) {
                byte[] found = Arrays.copyOfRange(content, sector * SECTOR, (sector + 1) * SECTOR);
                assertThat(found)
                        .as("%s: sector %d, which may be %s", what, sector, versions(sector))
                        .isEqualTo(latest(sector));
            }
        }
    }

    private boolean isPossible(int sector, byte[] content, int covered) {
        boolean possible = false;
        for (Version version : sectors.get(sector)) {
            boolean same = Arrays.equals(version.content, 0, SECTOR, content, sector * SECTOR, (sector + 1) * SECTOR);
            possible = same || (possible && version.operation > covered);
        }
        return possible;
    }

    private String versions(int sector) {
        StringBuilder text = new StringBuilder();
        sectors.get(sector)
                .forEach(version -> text.append(version.operation).append(": ").append(version.content[7]));
        return text.toString();
    }

    private void verifyBitmaps(List<Bitmap> bitmaps, byte[] content, String what) {
        byte[] before = start.content();
        for (Bitmap bitmap : bitmaps) {
            boolean trusted = (bitmap.flags() & ImageBitmaps.IN_USE) == 0;
            for (int at = 0; trusted && at < Math.min(before.length, content.length); at += SECTOR) {
                if (!Arrays.equals(before, at, at + SECTOR, content, at, at + SECTOR)) {
                    assertThat(bitmap.bits().get(at / SECTOR))
                            .as("%s, its bitmap at %d", what, at)
                            .isTrue();
                }
            }
        }
    }

    private void verifySnapshots(Disk after, String what) throws IOException {
        if (start.has(Trait.SNAPSHOT)) {
            Disk snapshot = ((Qcow2Image) after).snapshots().get(0).disk();
            byte[] content = TestDisk.read(snapshot, 0, (int) snapshot.size(), lookedAt);
            assertThat(content).as("%s, its snapshot", what).isEqualTo(start.content());
        }
    }

    /** Goes on with what is left: writes, also where nothing is allocated, and discards. */
    private void use(Disk after, byte[] content) throws IOException {
        int cluster = clusterSize();
        int end = Math.min(content.length, 12 * cluster);
        for (int at = 0; at + cluster <= end; at += 3 * cluster) {
            SmallImage.fill(content, at, cluster, -at - 1);
        }
        NativeBuffer.put(lookedAt.address(), content, 0, content.length);
        for (int at = 0; at + cluster <= end; at += 3 * cluster) {
            after.write(at, lookedAt.address() + at, cluster);
        }
        after.flush();
        Arrays.fill(content, 0, Math.min(end, cluster), (byte) 0);
        after.writeZeroes(0, Math.min(end, cluster), true);
    }

    @Override
    public String toString() {
        return name;
    }
}
