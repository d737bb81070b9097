package io.qfuse.qcow2.testing;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * All that files over disks with volatile caches may hold if the power fails at this moment: each combination of what each of
 * their sectors and lengths may be. Where that is too many, some: all old, all new, all but one, and others by chance.
 */
public final class PossibleDisks {

    private final List<VolatileFile> files;
    private final int most;
    private final int some;

    /** What can have one of several values: a length, or a sector; {@code hashes} are those of the values. */
    @SuppressWarnings("ArrayRecordComponent") // compared by nobody
    private record Slot(int file, long sector, List<byte[]> contents, long[] hashes) {

        static final long LENGTH = -1;
    }

    /** Looks at what may be left. */
    @FunctionalInterface
    public interface Visitor {

        /**
         * Looks at one possibility.
         *
         * @param hash tells it from others, in all likelihood
         * @param disks makes the files
         */
        void visit(long hash, Maker disks) throws IOException;
    }

    /** Makes what is looked at. */
    @FunctionalInterface
    public interface Maker {
        /** The files, in their order, each to be used as one likes. */
        List<MemoryHostFile> make();
    }

    /**
     * The possibilities of some files.
     *
     * @param most up to so many combinations all are visited
     * @param some of more than that so many are visited
     */
    public PossibleDisks(List<VolatileFile> files, int most, int some) {
        this.files = files;
        this.most = most;
        this.some = some;
    }

    /** Visits what is possible now, and returns whether that was all. */
    public boolean visit(Random random, Visitor visitor) throws IOException {
        List<Slot> slots = slots();
        double all = 1;
        for (Slot slot : slots) {
            all *= slot.hashes.length;
        }
        long[] durable = files.stream().mapToLong(file -> hash(file.durable())).toArray();
        int[] choice = new int[slots.size()];
        if (all <= most) {
            do {
                visit(slots, choice, durable, visitor);
            } while (advance(slots, choice));
            return true;
        }
        for (int i = 0; i < some; i++) {
            choose(slots, choice, i, random);
            visit(slots, choice, durable, visitor);
        }
        return false;
    }

    private List<Slot> slots() {
        List<Slot> slots = new ArrayList<>();
        for (int i = 0; i < files.size(); i++) {
            List<Long> sizes = files.get(i).sizes();
            long[] asHashes = sizes.stream().mapToLong(Long::longValue).toArray();
            slots.add(new Slot(i, Slot.LENGTH, List.of(), asHashes));
            int file = i;
            files.get(i)
                    .sectors()
                    .forEach((sector, contents) -> slots.add(new Slot(
                            file,
                            sector,
                            contents,
                            contents.stream().mapToLong(PossibleDisks::hash).toArray())));
        }
        return slots;
    }

    private static boolean advance(List<Slot> slots, int[] choice) {
        for (int i = 0; i < choice.length; i++) {
            if (++choice[i] < slots.get(i).hashes.length) {
                return true;
            }
            choice[i] = 0;
        }
        return false;
    }

    private static void choose(List<Slot> slots, int[] choice, int number, Random random) {
        int odd = number / 2 - 1; // all new but this one is old, or the other way round
        int bias = random.nextInt(5);
        for (int i = 0; i < choice.length; i++) {
            int values = slots.get(i).hashes.length;
            boolean latest = odd < choice.length ? (number % 2 == 0) != (i == odd) : random.nextInt(6) <= bias;
            choice[i] = latest ? values - 1 : odd < choice.length ? 0 : random.nextInt(values);
        }
    }

    private void visit(List<Slot> slots, int[] choice, long[] durable, Visitor visitor) throws IOException {
        long hash = 0;
        long end = 0;
        for (int i = 0; i < choice.length; i++) {
            Slot slot = slots.get(i);
            long value = slot.hashes[choice[i]];
            if (slot.sector == Slot.LENGTH) {
                end = value;
                hash += mix(value + 1, slot.file) + durable[slot.file];
            } else {
                long now = slot.sector * VolatileFile.SECTOR < end ? value : 0;
                hash += mix(now, key(slot)) - mix(slot.hashes[0], key(slot));
            }
        }
        int[] chosen = choice.clone();
        visitor.visit(hash, () -> make(slots, chosen));
    }

    private static long key(Slot slot) {
        return slot.sector * 8 + slot.file;
    }

    private List<MemoryHostFile> make(List<Slot> slots, int[] choice) {
        List<MemoryHostFile> disks = new ArrayList<>();
        long[] sizes = new long[files.size()];
        for (VolatileFile file : files) {
            disks.add(file.durable().copy());
        }
        for (int i = 0; i < choice.length; i++) {
            Slot slot = slots.get(i);
            if (slot.sector == Slot.LENGTH) {
                sizes[slot.file] = slot.hashes[choice[i]];
            } else if (choice[i] > 0) {
                byte[] content = slot.contents.get(choice[i]);
                disks.get(slot.file).write(slot.sector * VolatileFile.SECTOR, content, 0, content.length);
            }
        }
        for (int i = 0; i < sizes.length; i++) {
            disks.get(i).truncate(sizes[i]);
        }
        return disks;
    }

    private static long hash(MemoryHostFile file) {
        long hash = 0;
        for (long at = 0; at < file.size(); at += VolatileFile.SECTOR) {
            hash += mix(hash(file.bytes(at, VolatileFile.SECTOR)), at / VolatileFile.SECTOR * 8);
        }
        return hash;
    }

    /** 0 for zeroes: what is not there is the same as they. */
    private static long hash(byte[] sector) {
        long hash = 0;
        boolean zero = true;
        LongBuffer longs = ByteBuffer.wrap(sector).asLongBuffer();
        while (longs.hasRemaining()) {
            long word = longs.get();
            zero &= word == 0;
            hash = (Long.rotateLeft(hash, 29) + word) * 0x9e3779b97f4a7c15L;
        }
        return zero ? 0 : hash | 1;
    }

    private static long mix(long value, long key) {
        if (value == 0) {
            return 0;
        }
        long mixed = (value ^ key * 0xbf58476d1ce4e5b9L) * 0x94d049bb133111ebL;
        return (mixed ^ mixed >>> 31) * 0x9e3779b97f4a7c15L;
    }
}
