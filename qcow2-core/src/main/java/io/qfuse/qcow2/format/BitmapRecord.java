package io.qfuse.qcow2.format;

import static io.qfuse.qcow2.format.FieldReader.malformed;

import io.qfuse.qcow2.Qcow2Exception;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * One entry of the bitmap directory (format notes, section 9). Big-endian, padded to 8 bytes:
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
 * @param granularityBits log2 of the bytes that one bit stands for
 * @param name the bitmap's name
 */
public record BitmapRecord(long tableOffset, long tableSize, int flags, int granularityBits, String name) {

    /** Bytes of the part that every entry has. */
    public static final int FIXED_LENGTH = 24;
    /** Set while a program changes the bitmap, or after it has crashed. */
    public static final int IN_USE = 1;
    /** Set where writes are to be recorded. */
    public static final int AUTO = 2;

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
                in.getInt(12),
                entry[17] & 0xff,
                new String(entry, (int) nameAt, nameLength(in), StandardCharsets.UTF_8));
    }

    /** Whether the image is marked as having this flag. */
    public boolean has(int flag) {
        return (flags & flag) != 0;
    }

    private static long extra(ByteBuffer in) {
        return Integer.toUnsignedLong(in.getInt(20));
    }

    private static int nameLength(ByteBuffer in) {
        return in.getShort(18) & 0xffff;
    }
}
