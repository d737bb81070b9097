package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ErrnoException;
import java.util.Arrays;
import java.util.Random;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/**
 * Does random things to a disk through its raw file, and the same to a model in memory that says what must be read. The
 * file is open twice, once through the page cache and once past it.
 */
final class RandomUser {

    private static final int SECTOR = 512;
    /** Up to where a disk may grow, in parts of its first size. */
    private static final int GROWTH = 8;

    private final Random random;
    private final int firstSize;
    private byte[] model;
    private String last = "";

    RandomUser(Random random, byte[] model) {
        this.random = random;
        this.model = model;
        this.firstSize = model.length;
    }

    /** What the disk must read as. */
    byte[] model() {
        return model;
    }

    /** What was done last, for failures. */
    String last() {
        return last;
    }

    /** One random operation, on one of the two. */
    void step(RawFile buffered, RawFile direct) throws ErrnoException {
        RawFile file = random.nextInt(3) == 0 ? direct : buffered;
        switch (random.nextInt(20)) {
            case 0, 1, 2, 3, 4 -> read(file);
            case 5, 6, 7, 8, 9, 10 -> write(file);
            case 11, 12 -> punch(file);
            case 13, 14 -> zero(file);
            case 15, 16 -> allocate(file);
            case 17 -> truncate(file);
            case 18 -> sync(file);
            default -> seek(file);
        }
    }

    private void read(RawFile file) throws ErrnoException {
        int offset = offset();
        int length = length();
        last = "read " + offset + "+" + length;
        assertThat(file.read(offset, length))
                .isEqualTo(Arrays.copyOfRange(model, offset, Math.min(model.length, offset + length)));
    }

    private void write(RawFile file) throws ErrnoException {
        int offset = offset();
        byte[] bytes = new byte[Math.min(length(), model.length - offset)];
        if (random.nextInt(10) > 0) {
            random.nextBytes(bytes);
        }
        last = "write " + offset + "+" + bytes.length;
        assertThat(file.write(offset, bytes)).isEqualTo(bytes.length);
        System.arraycopy(bytes, 0, model, offset, bytes.length);
    }

    private void punch(RawFile file) throws ErrnoException {
        int offset = offset();
        int length = length();
        last = "punch " + offset + "+" + length;
        file.allocate(RawFile.PUNCH_HOLE | RawFile.KEEP_SIZE, offset, length);
        clear(offset, length);
    }

    private void zero(RawFile file) throws ErrnoException {
        int offset = offset();
        int length = random.nextInt(4) == 0 ? length() : Math.min(length(), model.length - offset);
        boolean keep = random.nextBoolean() || tooLong(offset + length);
        last = "zero range " + offset + "+" + length + (keep ? " keeping the size" : "");
        if (!keep && misfits(offset + length)) {
            assertRefused(() -> file.allocate(RawFile.ZERO_RANGE, offset, length));
            return;
        }
        file.allocate(RawFile.ZERO_RANGE | (keep ? RawFile.KEEP_SIZE : 0), offset, length);
        grow(keep ? 0 : offset + length);
        clear(offset, length);
    }

    private void allocate(RawFile file) throws ErrnoException {
        int offset = offset();
        int length = random.nextInt(4) == 0 ? length() : Math.min(length(), model.length - offset);
        boolean keep = random.nextBoolean() || tooLong(offset + length);
        last = "allocate " + offset + "+" + length + (keep ? " keeping the size" : "");
        if (!keep && misfits(offset + length)) {
            assertRefused(() -> file.allocate(0, offset, length));
            return;
        }
        file.allocate(keep ? RawFile.KEEP_SIZE : 0, offset, length);
        grow(keep ? 0 : offset + length);
    }

    private void truncate(RawFile file) throws ErrnoException {
        int size = firstSize + (random.nextInt(firstSize / GROWTH) - firstSize / GROWTH / 2) & -SECTOR;
        last = "truncate " + size;
        file.truncate(size);
        model = Arrays.copyOf(model, size);
    }

    private void sync(RawFile file) throws ErrnoException {
        last = "fsync";
        file.sync();
    }

    /** Holes read as zeroes, wherever the walk starts; the end is a hole, and nothing is behind it. */
    private void seek(RawFile file) throws ErrnoException {
        long at = offset();
        last = "seek from " + at;
        while (at < model.length) {
            long data = dataOrEnd(file, at);
            assertZero((int) at, (int) data);
            if (data < model.length) {
                long hole = file.seekHole(data);
                assertThat(hole).isGreaterThan(data).isLessThanOrEqualTo(model.length);
                data = hole;
            }
            at = data;
        }
        assertThatExceptionOfType(ErrnoException.class)
                .isThrownBy(() -> file.seekHole(model.length))
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ENXIO));
    }

    private long dataOrEnd(RawFile file, long from) throws ErrnoException {
        try {
            return file.seekData(from);
        } catch (ErrnoException e) {
            assertThat(e.errno()).isEqualTo(Errno.ENXIO);
            return model.length;
        }
    }

    private void assertZero(int from, int to) {
        for (int i = from; i < to; i++) {
            if (model[i] != 0) {
                throw new AssertionError("a hole from " + from + " to " + to + ", but data at " + i);
            }
        }
    }

    private static void assertRefused(ThrowingCallable call) {
        assertThatExceptionOfType(ErrnoException.class)
                .isThrownBy(call)
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL));
    }

    /** Most often aligned to nothing, sometimes to what clusters and sectors are aligned to. */
    private int offset() {
        int offset = random.nextInt(model.length);
        return switch (random.nextInt(4)) {
            case 0 -> offset & -65536;
            case 1 -> offset & -SECTOR;
            default -> offset;
        };
    }

    private int length() {
        return switch (random.nextInt(5)) {
            case 0 -> 1 + random.nextInt(100);
            case 1 -> SECTOR * (1 + random.nextInt(16));
            case 2 -> 65536 * (1 + random.nextInt(4));
            case 3 -> 1 + random.nextInt(firstSize / 4);
            default -> 1 + random.nextInt(20000);
        };
    }

    private boolean tooLong(int end) {
        return end > firstSize + firstSize / GROWTH;
    }

    private boolean misfits(int end) {
        return end > model.length && end % SECTOR != 0;
    }

    private void grow(int end) {
        if (end > model.length) {
            model = Arrays.copyOf(model, end);
        }
    }

    private void clear(int offset, int length) {
        Arrays.fill(model, offset, Math.min(model.length, offset + length), (byte) 0);
    }
}
