package io.qfuse.qcow2.format;

import static io.qfuse.qcow2.format.FieldReader.malformed;

import io.qfuse.qcow2.Qcow2Exception;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * One entry of the bitmap directory (format notes, section 9). Big-endian, at a multiple of 8 and padded to one, so that
 * a field or pair of fields that fills 8 bytes lies within one sector:
 *
 * <pre>
 *    0 u64 table offset    16 u8  type               20 u32 bytes of extra data
 *    8 u32 table entries   17 u8  granularity bits   24 extra data, name
 *   12 u32 flags           18 u16 name length
 * </pre>
 *
 * @param tableOffset where the bitmap's table is, unchecked
 * @param tableSize entries of the table as stored, 0 to 2^32 - 1
 * @param flags {@link #IN_USE}, {@link #AUTO} and others
 * @param type {@link #DIRTY_TRACKING} or unknown
 * @param granularityBits log2 of the bytes that one bit stands for, unchecked
 * @param hasExtra whether there are extra data, of which nothing is known
 * @param length bytes of the entry with its padding
 * @param name the bitmap's name
 */
public record BitmapRecord(
        long tableOffset,
        long tableSize,
        int flags,
        int type,
        int granularityBits,
        boolean hasExtra,
        int length,
        String name) {

    /** Bytes of the part that every entry has. */
    public static final int FIXED_LENGTH = 24;
    /** Where in an entry the size of the table is, with the flags behind it. */
    public static final int SIZE_AND_FLAGS_AT = 8;
    /** Where in an entry the flags are. */
    public static final int FLAGS_AT = 12;
    /** Set while a program changes the bitmap, or after it has crashed. */
    public static final int IN_USE = 1;
    /** Set where writes are to be recorded. */
    public static final int AUTO = 2;
    /** Set where the bitmap may be used by who does not know its extra data. */
    public static final int EXTRA_DATA_COMPATIBLE = 4;
    /** The type of a bitmap that records what was written. */
    public static final int DIRTY_TRACKING = 1;

    /**
     * The length of an entry with padding; up to 4 GiB, which the caller bounds by the directory's length.
     *
     * @param fixed its first {@link #FIXED_LENGTH} bytes
     */
    public static long length(byte[] fixed) {
        ByteBuffer in = ByteBuffer.wrap(fixed);
        return (FIXED_LENGTH + extra(in) + nameLength(in) + 7) & -8;
    }

    /**
     * Decodes an entry.
     *
     * @param entry all its bytes; the padding may be missing
     * @throws Qcow2Exception where it is cut off
     */
    public static BitmapRecord decode(byte[] entry, Path path) throws Qcow2Exception {
        ByteBuffer in = ByteBuffer.wrap(entry);
        long nameAt = FIXED_LENGTH + extra(in);
        if (nameAt + nameLength(in) > entry.length) {
            throw malformed(path, "the bitmap directory is cut off");
        }
        return new BitmapRecord(
                in.getLong(0),
                Integer.toUnsignedLong(in.getInt(8)),
                in.getInt(FLAGS_AT),
                entry[16] & 0xff,
                entry[17] & 0xff,
                extra(in) != 0,
                (int) length(entry),
                new String(entry, (int) nameAt, nameLength(in), StandardCharsets.UTF_8));
    }

    /** Whether the image is marked as having this flag. */
    public boolean has(int flag) {
        return (flags & flag) != 0;
    }

    /** Whether type and flags are such that it is known what they ask for. */
    public boolean isKnown() {
        return type == DIRTY_TRACKING && (flags & ~(IN_USE | AUTO | EXTRA_DATA_COMPATIBLE)) == 0;
    }

    /** The fields that make up an entry's length, for messages. */
    public static String lengths(byte[] fixed) {
        ByteBuffer in = ByteBuffer.wrap(fixed);
        return "extra data size " + extra(in) + ", name length " + nameLength(in);
    }

    private static long extra(ByteBuffer in) {
        return Integer.toUnsignedLong(in.getInt(20));
    }

    private static int nameLength(ByteBuffer in) {
        return in.getShort(18) & 0xffff;
    }
}
