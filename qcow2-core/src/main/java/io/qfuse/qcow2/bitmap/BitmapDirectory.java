package io.qfuse.qcow2.bitmap;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.BitmapRecord;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderExtension;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The directory of the persistent bitmaps as found.
 *
 * @param offset where it is, at the start of a cluster
 * @param length its bytes
 * @param bitmaps its entries in their order
 */
public record BitmapDirectory(long offset, long length, List<BitmapRecord> bitmaps) {

    private static final int COUNT = 0;
    private static final int LENGTH = 8;
    private static final int OFFSET = 16;

    /** The list is copied. */
    public BitmapDirectory {
        bitmaps = List.copyOf(bitmaps);
    }

    /**
     * Reads the directory.
     *
     * @return empty where there is none, or where a program that does not know bitmaps has made it stale
     * @throws Qcow2Exception where its entries do not fill it exactly
     */
    public static Optional<BitmapDirectory> read(HostFile file, Header header) throws IOException {
        Optional<byte[]> extension = header.extension(HeaderExtension.BITMAPS);
        if (extension.isEmpty() || (header.autoclear() & Features.BITMAPS) == 0) {
            return Optional.empty();
        }
        ByteBuffer fields = ByteBuffer.wrap(extension.get());
        long offset = fields.getLong(OFFSET);
        long length = fields.getLong(LENGTH);
        if (length > file.size() - offset) {
            throw malformed(
                    file.path(),
                    "truncated: bitmap_directory_offset is " + hex(offset) + " and bitmap_directory_size is " + length
                            + ", the file ends at " + hex(file.size()));
        }
        List<BitmapRecord> bitmaps = new ArrayList<>();
        byte[] fixed = new byte[BitmapRecord.FIXED_LENGTH];
        long at = 0;
        for (int i = 0; i < fields.getInt(COUNT); i++) {
            long entryLength = 0;
            if (at + fixed.length <= length) {
                file.read(offset + at, fixed);
                entryLength = BitmapRecord.length(fixed);
            }
            if (entryLength == 0 || entryLength > length - at) {
                throw malformed(
                        file.path(),
                        "the bitmap directory is cut off in entry " + i + " at " + hex(offset + at)
                                + (entryLength == 0 ? "" : " (" + BitmapRecord.lengths(fixed) + ")")
                                + ": bitmap_directory_offset is " + hex(offset) + ", bitmap_directory_size is " + length
                                + ", nb_bitmaps is " + fields.getInt(COUNT));
            }
            byte[] entry = new byte[(int) entryLength];
            file.read(offset + at, entry);
            bitmaps.add(BitmapRecord.decode(entry, file.path()));
            at += entryLength;
        }
        if (at != length) {
            throw malformed(
                    file.path(),
                    "bitmap_directory_size is " + length + ", but the entries at bitmap_directory_offset, which is "
                            + hex(offset) + ", have " + at + " bytes (nb_bitmaps is " + bitmaps.size() + ")");
        }
        return Optional.of(new BitmapDirectory(offset, length, bitmaps));
    }

    /** The entries with the host offset of each. */
    List<Placed> placed() {
        List<Placed> placed = new ArrayList<>();
        long at = offset;
        for (BitmapRecord bitmap : bitmaps) {
            placed.add(new Placed(at, bitmap));
            at += bitmap.length();
        }
        return placed;
    }

    /**
     * An entry and where it is.
     *
     * @param at its host offset, a multiple of 8
     * @param bitmap what it says
     */
    record Placed(long at, BitmapRecord bitmap) {}

    private static String hex(long value) {
        return "0x" + Long.toHexString(value);
    }

    private static Qcow2Exception malformed(Path path, String why) {
        return new Qcow2Exception(Kind.MALFORMED, path, why);
    }
}
