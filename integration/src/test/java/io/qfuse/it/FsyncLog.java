package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * What a disk may hold after its server was killed. Every write of a block makes a new version of it, and says in each of its
 * sectors which block and version it is.
 *
 * <ol>
 *   <li>A sector is one of the versions of its block, whole, from the last that an fsync has covered on; where there is none, it
 *       may be as it was at the start of the round.
 *   <li>Versions of a block are begun in order, by who has locked it. Everything else may be called by any thread.
 *   <li>An fsync covers what had returned when it began.
 * </ol>
 *
 * <p>The disk is of whole blocks. The kernel outlives the server, so what a round has left is durable for the next.
 */
final class FsyncLog {

    static final int BLOCK = 4096;

    private static final int SECTOR = 512;
    private static final long MARK = 0x7166_7573_6521_0000L;

    private final int blocks;
    /** The last version of each block that was begun, by its number. */
    private final AtomicIntegerArray begun;
    /** The last version that has returned. */
    private final AtomicIntegerArray returned;
    /** The last version that an fsync has covered in this round, or 0. */
    private final AtomicIntegerArray synced;
    /** The last version in this round that was zeroes, or 0. */
    private final AtomicIntegerArray zeroed;

    /** The disk and the last versions when the round began. */
    private byte[] before = {};

    private final int[] beforeVersions;

    FsyncLog(int size) {
        blocks = size / BLOCK;
        begun = new AtomicIntegerArray(blocks);
        returned = new AtomicIntegerArray(blocks);
        synced = new AtomicIntegerArray(blocks);
        zeroed = new AtomicIntegerArray(blocks);
        beforeVersions = new int[blocks];
    }

    /** Begins a round with what the disk holds now. */
    void begin(byte[] disk) {
        before = disk;
        Arrays.setAll(beforeVersions, begun::get);
        for (int i = 0; i < blocks; i++) {
            synced.set(i, 0);
            zeroed.set(i, 0);
        }
    }

    int blocks() {
        return blocks;
    }

    /** Begins versions of consecutive blocks and gives their bytes. */
    byte[] begin(int block, int count, boolean zeroes) {
        ByteBuffer bytes = ByteBuffer.allocate(count * BLOCK);
        for (int i = block; i < block + count; i++) {
            int version = begun.incrementAndGet(i);
            if (zeroes) {
                zeroed.set(i, version);
            } else {
                put(bytes, (i - block) * BLOCK, i, version);
            }
        }
        return bytes.array();
    }

    /** Notes that what was begun last in these blocks has returned. */
    void returned(int block, int count) {
        for (int i = block; i < block + count; i++) {
            returned.set(i, begun.get(i));
        }
    }

    /** What has returned so far: to be told to {@link #synced} by an fsync that begins now, when it has returned. */
    int[] returned() {
        int[] versions = new int[blocks];
        Arrays.setAll(versions, returned::get);
        return versions;
    }

    /** Notes that versions are durable. */
    void synced(int[] versions) {
        for (int i = 0; i < blocks; i++) {
            if (versions[i] > beforeVersions[i]) {
                synced.accumulateAndGet(i, versions[i], Math::max);
            }
        }
    }

    /** Compares what a server has left with all that it may have left. */
    void check(byte[] disk) {
        ByteBuffer bytes = ByteBuffer.wrap(disk);
        for (int at = 0; at < blocks * BLOCK; at += SECTOR) {
            if (!isRight(bytes, at)) {
                throw new AssertionError(complaint(bytes, at));
            }
        }
        assertThat(disk).as("the size of the disk").hasSameSizeAs(before);
    }

    private boolean isRight(ByteBuffer disk, int at) {
        int block = at / BLOCK;
        int first = Math.max(synced.get(block), beforeVersions[block] + 1);
        ByteBuffer sector = disk.slice(at, SECTOR);
        if (synced.get(block) == 0 && sector.equals(ByteBuffer.wrap(before, at, SECTOR))) {
            return true;
        }
        if (sector.equals(ByteBuffer.allocate(SECTOR))) {
            return zeroed.get(block) >= first;
        }
        int version = sector.getInt(8);
        if (version < first || version > begun.get(block)) {
            return false;
        }
        ByteBuffer whole = ByteBuffer.allocate(BLOCK);
        put(whole, 0, block, version);
        return sector.equals(whole.slice(at % BLOCK, SECTOR));
    }

    private String complaint(ByteBuffer disk, int at) {
        int block = at / BLOCK;
        long mark = disk.getLong(at);
        String found = "0x" + Long.toHexString(mark) + " (and on)";
        if (mark >>> 32 == MARK >>> 32) {
            int written = (int) (mark - MARK);
            int version = disk.getInt(at + 8);
            ByteBuffer whole = ByteBuffer.allocate(BLOCK);
            put(whole, 0, written, version);
            int like = disk.slice(at, SECTOR).mismatch(whole.slice(at % BLOCK, SECTOR));
            found = "version " + version + " of block " + written
                    + (like < 0 ? "" : ", but only for " + like + " bytes");
        }
        return "sector " + at % BLOCK / SECTOR + " of block " + block + " holds " + found + ", but of its versions "
                + (beforeVersions[block] + 1) + " to " + begun.get(block) + " those up to " + synced.get(block)
                + " were synced, and " + zeroed.get(block) + " was the last of zeroes";
    }

    private static void put(ByteBuffer bytes, int at, int block, int version) {
        for (int i = 0; i < BLOCK; i += Long.BYTES) {
            bytes.putLong(at + i, (i + 1) * 0x9e37_79b9_7f4a_7c15L ^ version * 0xff51_afd7_ed55_8ccdL ^ block);
        }
        for (int i = 0; i < BLOCK; i += SECTOR) {
            bytes.putLong(at + i, MARK + block).putInt(at + i + 8, version);
        }
    }
}
