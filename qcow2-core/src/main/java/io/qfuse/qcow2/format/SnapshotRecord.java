package io.qfuse.qcow2.format;

import static io.qfuse.qcow2.format.FieldReader.malformed;

import io.qfuse.qcow2.Qcow2Exception;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * One entry of the snapshot table (format notes, section 8). Big-endian, padded to 8 bytes:
 *
 * <pre>
 *    0 u64 L1 offset      16 u32 date, seconds      36 u32 bytes of extra data
 *    8 u32 L1 entries     20 u32 date, nanoseconds  40 extra data:
 *   12 u16 id length      24 u64 VM clock, ns           0 u64 VM state size   8 u64 virtual size  16 u64 icount
 *   14 u16 name length    32 u32 VM state size      .. id, name
 * </pre>
 *
 * @param l1Offset where its L1 table is, unchecked: the table is looked at only when the snapshot is used
 * @param l1Size entries of its L1 table, as stored: 0 to 2^32 - 1
 * @param id its id, a decimal number as a rule
 * @param name its name
 * @param dateSeconds when it was taken, in seconds since 1970
 * @param dateNanos the rest of the date in nanoseconds
 * @param vmClockNanos how long the guest had run, in nanoseconds
 * @param vmStateSize bytes of the saved guest memory
 * @param virtualSize the disk's size then in bytes, or -1 where it is not stored
 * @param icount instructions that the guest had run, or -1 where it is not stored
 */
public record SnapshotRecord(
        long l1Offset,
        long l1Size,
        String id,
        String name,
        long dateSeconds,
        long dateNanos,
        long vmClockNanos,
        long vmStateSize,
        long virtualSize,
        long icount) {

    /** Bytes of the part that every entry has. */
    public static final int FIXED_LENGTH = 40;
    /** Bytes of ids and names that are kept, as many as QEMU keeps. */
    private static final int MAX_SHOWN = 255;
    /** As many as a decimal number of 64 bits has. */
    private static final int ID_DIGITS = 20;
    /** A field that the entry does not have. */
    public static final long NOT_STORED = -1;

    /** The same without its name and with no more than the beginning of its id: of a bounded size, for whoever keeps many. */
    public SnapshotRecord withoutTexts() {
        return new SnapshotRecord(
                l1Offset,
                l1Size,
                id.substring(0, Math.min(id.length(), ID_DIGITS)),
                "",
                dateSeconds,
                dateNanos,
                vmClockNanos,
                vmStateSize,
                virtualSize,
                icount);
    }

    /** The disk's size then in bytes, as stored; where it is not, the present one. */
    public long sizeIn(Header present) {
        return virtualSize == NOT_STORED ? present.size() : virtualSize;
    }

    /**
     * The header under which the image shows this snapshot's state instead of the present one.
     *
     * @param fileLength bytes of the image's file, which hold all of the L1 table: whoever takes a snapshot writes it whole
     * @throws Qcow2Exception where its L1 table or its size breaks the format
     */
    public Header shownBy(Header present, Path path, long fileLength) throws Qcow2Exception {
        long size = sizeIn(present);
        Geometry geometry = present.geometry();
        if (geometry.offsetInCluster(l1Offset) != 0 || l1Offset < 0 || l1Offset >= Limits.MAX_HOST_OFFSET) {
            throw malformed(path, "snapshot " + id + ": l1_table_offset is 0x" + Long.toHexString(l1Offset));
        }
        if (l1Size > Limits.MAX_L1_SIZE || size < 0 || size > l1Size * geometry.l2Reach()) {
            throw malformed(
                    path,
                    "snapshot " + id + ": l1_size is " + l1Size + ", for a disk size of "
                            + Long.toUnsignedString(size));
        }
        if (l1Offset + l1Size * Long.BYTES > fileLength) {
            throw malformed(
                    path,
                    "snapshot " + id + ": its L1 table is cut off: l1_table_offset is 0x" + Long.toHexString(l1Offset)
                            + " and l1_size is " + l1Size + ", in a file of " + fileLength + " bytes");
        }
        return present.showing(size, l1Offset, (int) l1Size);
    }

    /**
     * The length of an entry.
     *
     * @param fixed its first {@link #FIXED_LENGTH} bytes
     * @param index its place in the table, for messages
     * @return bytes with padding, at most about 130 KiB
     * @throws Qcow2Exception where the extra data are longer than any program writes
     */
    public static int length(byte[] fixed, int index, Path path) throws Qcow2Exception {
        ByteBuffer in = ByteBuffer.wrap(fixed);
        String name = "extra data size of entry " + index + " of the snapshot table";
        int extra = new FieldReader(in, path).u32(name, 36, 0, Limits.MAX_SNAPSHOT_EXTRA);
        return (FIXED_LENGTH + extra + idLength(in) + nameLength(in) + 7) & -8;
    }

    /**
     * Decodes an entry.
     *
     * @param entry all its bytes; the padding may be missing
     * @throws Qcow2Exception where it is cut off
     */
    public static SnapshotRecord decode(byte[] entry, Path path) throws Qcow2Exception {
        ByteBuffer in = ByteBuffer.wrap(entry);
        int extra = in.getInt(36);
        int idAt = FIXED_LENGTH + extra;
        int nameAt = idAt + idLength(in);
        if (extra < 0 || nameAt + nameLength(in) > entry.length) {
            throw malformed(path, "the snapshot table is cut off");
        }
        return new SnapshotRecord(
                in.getLong(0),
                Integer.toUnsignedLong(in.getInt(8)),
                text(entry, idAt, idLength(in)),
                text(entry, nameAt, nameLength(in)),
                Integer.toUnsignedLong(in.getInt(16)),
                Integer.toUnsignedLong(in.getInt(20)),
                in.getLong(24),
                extra >= 8 ? in.getLong(40) : Integer.toUnsignedLong(in.getInt(32)),
                extra >= 16 ? in.getLong(48) : NOT_STORED,
                extra >= 24 ? in.getLong(56) : NOT_STORED);
    }

    /**
     * What is no UTF-8 is shown by replacement characters, and what is longer than any program writes is cut: an odd name is no
     * reason to refuse an image, nor to fill the memory with names.
     */
    private static String text(byte[] entry, int offset, int length) {
        return new String(entry, offset, Math.min(length, MAX_SHOWN), StandardCharsets.UTF_8);
    }

    /** The fields that make up an entry's length, for messages. */
    public static String lengths(byte[] fixed) {
        ByteBuffer in = ByteBuffer.wrap(fixed);
        return "extra data size " + in.getInt(36) + ", id length " + idLength(in) + ", name length " + nameLength(in);
    }

    private static int idLength(ByteBuffer in) {
        return in.getShort(12) & 0xffff;
    }

    private static int nameLength(ByteBuffer in) {
        return in.getShort(14) & 0xffff;
    }
}
