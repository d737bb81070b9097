package io.qfuse.qcow2.format;

import static io.qfuse.qcow2.format.FieldReader.malformed;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Cluster 0 as bytes and as a {@link Header} (format notes, section 1). Big-endian:
 *
 * <pre>
 *    0 u32 magic           36 u32 l1_size                   72 u64 incompatible_features
 *    4 u32 version         40 u64 l1_table_offset           80 u64 compatible_features
 *    8 u64 backing offset  48 u64 refcount_table_offset     88 u64 autoclear_features
 *   16 u32 backing size    56 u32 refcount_table_clusters   96 u32 refcount_order
 *   20 u32 cluster_bits    60 u32 nb_snapshots             100 u32 header_length
 *   24 u64 size            64 u64 snapshots_offset         104 u8  compression_type, 7 bytes of padding
 *   32 u32 crypt_method    (version 2 ends here: 72)
 *
 *   header_length: extensions, then the backing file's name
 * </pre>
 */
public final class HeaderCodec {

    private static final int MAGIC = 0x514649fb;
    private static final int V2_LENGTH = 72;
    private static final int V3_LENGTH = 104;
    private static final int V3_FULL_LENGTH = 112;
    private static final int BACKING_OFFSET = 8;
    private static final int BACKING_SIZE = 16;
    private static final int CLUSTER_BITS = 20;
    private static final int COMPRESSION = 104;

    private HeaderCodec() {}

    /**
     * Decodes a header and checks it by every rule that needs no other part of the file. Features are not judged:
     * {@link Features#requireSupported} does that.
     *
     * @param start the first bytes of the file: all of it, or at least its first cluster (2 MiB are always enough)
     * @param path the file, for messages
     * @param fileLength bytes of the whole file
     * @throws Qcow2Exception of kind NOT_QCOW2, MALFORMED, or UNSUPPORTED for versions, compression types and crypt
     *     methods that do not exist
     */
    public static Header decode(byte[] start, Path path, long fileLength) throws Qcow2Exception {
        requireMagic(start, path);
        FieldReader in = new FieldReader(ByteBuffer.wrap(start), path);
        int version = version(start, path);
        requireLength(start, version == 2 ? V2_LENGTH : V3_LENGTH, path);
        int clusterBits = in.u32("cluster_bits", CLUSTER_BITS, Limits.MIN_CLUSTER_BITS, Limits.MAX_CLUSTER_BITS);
        int clusterSize = 1 << clusterBits;
        if (start.length < Math.min(fileLength, clusterSize)) {
            throw new IllegalArgumentException("only " + start.length + " bytes of the first cluster");
        }
        boolean v3 = version >= 3;
        int headerLength = v3 ? in.u32("header_length", 100, V3_LENGTH, clusterSize) : V2_LENGTH;
        requireLength(start, headerLength, path);
        long backingOffset = backingOffset(in, clusterSize, path);
        int extensionsEnd = backingOffset == 0 ? clusterSize : (int) backingOffset;
        List<HeaderExtension> extensions = HeaderExtensions.decode(start, headerLength, extensionsEnd, path);
        Header header = new Header(
                version,
                clusterBits,
                in.u64("size", HeaderField.SIZE),
                in.u32("crypt_method", 32, 0, 0xffff_ffffL),
                in.u32("l1_size", HeaderField.L1, 0, Limits.MAX_L1_SIZE),
                in.u64("l1_table_offset", HeaderField.L1 + 4),
                in.u64("refcount_table_offset", HeaderField.REFCOUNT_TABLE),
                in.u32("refcount_table_clusters", 56, 1, Limits.MAX_REFCOUNT_TABLE_BYTES >>> clusterBits),
                in.u32("nb_snapshots", 60, 0, Limits.MAX_SNAPSHOTS),
                in.u64("snapshots_offset", 64),
                v3 ? in.bits(HeaderField.INCOMPATIBLE) : 0,
                v3 ? in.bits(80) : 0,
                v3 ? in.bits(HeaderField.AUTOCLEAR) : 0,
                v3 ? in.u32("refcount_order", 96, 0, 6) : 4,
                headerLength,
                headerLength > COMPRESSION ? start[COMPRESSION] & 0xff : 0,
                extensions,
                backingFile(start, in, backingOffset, clusterSize, path));
        HeaderRules.check(header, path, fileLength);
        return header;
    }

    /** How many bytes {@link #decode} needs, where the file has as many: the first cluster, as far as the fields say. */
    public static long needed(byte[] start) {
        if (start.length < V2_LENGTH) {
            return 0;
        }
        int clusterBits = ByteBuffer.wrap(start).getInt(CLUSTER_BITS);
        return clusterBits < 0 || clusterBits > Limits.MAX_CLUSTER_BITS ? 0 : 1L << clusterBits;
    }

    /** Whether header, extensions and backing name fit the first cluster. */
    public static boolean fits(Header header) {
        int name = backingName(header).length;
        return name <= Limits.MAX_BACKING_NAME && backingNameOffset(header) + name <= 1 << header.clusterBits();
    }

    /**
     * The first cluster of an image with this header; unused bytes are zeroes.
     *
     * @param path the file, for messages
     * @throws Qcow2Exception of kind UNSUPPORTED where extensions and name do not fit one cluster
     */
    public static byte[] encode(Header header, Path path) throws Qcow2Exception {
        byte[] name = backingName(header);
        int nameAt = backingNameOffset(header);
        int clusterSize = 1 << header.clusterBits();
        if (!fits(header)) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED,
                    path,
                    "the backing file's name has " + name.length
                            + " bytes, which do not fit the header of an image with " + clusterSize + "-byte clusters");
        }
        ByteBuffer out = ByteBuffer.allocate(clusterSize);
        out.putInt(MAGIC).putInt(header.version());
        out.putLong(name.length == 0 ? 0 : nameAt).putInt(name.length).putInt(header.clusterBits());
        out.putLong(header.size()).putInt(header.cryptMethod());
        out.putInt(header.l1Size()).putLong(header.l1Offset());
        out.putLong(header.refcountTableOffset()).putInt(header.refcountTableClusters());
        out.putInt(header.snapshotCount()).putLong(header.snapshotsOffset());
        if (header.version() >= 3) {
            out.putLong(header.incompatible()).putLong(header.compatible()).putLong(header.autoclear());
            out.putInt(header.refcountOrder()).putInt(header.headerLength());
            if (header.headerLength() > COMPRESSION) {
                out.put((byte) header.compressionType());
            }
        }
        out.position(header.headerLength());
        HeaderExtensions.encode(header.extensions(), out);
        out.position(nameAt).put(name);
        return out.array();
    }

    /** The header length that new images of a version get. */
    public static int headerLengthFor(int version) {
        return version == 2 ? V2_LENGTH : V3_FULL_LENGTH;
    }

    private static byte[] backingName(Header header) {
        return header.backingFile() == null ? new byte[0] : header.backingFile().getBytes(StandardCharsets.UTF_8);
    }

    private static int backingNameOffset(Header header) {
        return header.headerLength() + HeaderExtensions.encodedLength(header.extensions());
    }

    private static void requireMagic(byte[] start, Path path) throws Qcow2Exception {
        if (start.length < 8) {
            throw new Qcow2Exception(Kind.NOT_QCOW2, path, "not a qcow2 image: it has only " + start.length + " bytes");
        }
        int magic = ByteBuffer.wrap(start).getInt(0);
        if (magic != MAGIC) {
            throw new Qcow2Exception(
                    Kind.NOT_QCOW2,
                    path,
                    String.format("not a qcow2 image: it starts with %08x, not %08x", magic, MAGIC));
        }
    }

    private static int version(byte[] start, Path path) throws Qcow2Exception {
        int version = ByteBuffer.wrap(start).getInt(4);
        if (version != 2 && version != 3) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED,
                    path,
                    "version is " + Integer.toUnsignedString(version) + "; only versions 2 and 3 are supported");
        }
        return version;
    }

    private static void requireLength(byte[] start, int needed, Path path) throws Qcow2Exception {
        if (start.length < needed) {
            throw malformed(path, "truncated: it has " + start.length + " bytes, its header alone " + needed);
        }
    }

    private static long backingOffset(FieldReader in, int clusterSize, Path path) throws Qcow2Exception {
        long offset = in.u64("backing_file_offset", BACKING_OFFSET);
        if (offset > clusterSize) {
            throw malformed(
                    path, "backing_file_offset is " + offset + ", beyond the end of its cluster (" + clusterSize + ")");
        }
        return offset;
    }

    private static @Nullable String backingFile(byte[] start, FieldReader in, long offset, int clusterSize, Path path)
            throws Qcow2Exception {
        if (offset == 0) {
            return null;
        }
        int length =
                in.u32("backing_file_size", BACKING_SIZE, 0, Math.min(Limits.MAX_BACKING_NAME, clusterSize - offset));
        requireLength(start, (int) offset + length, path);
        if (length == 0) {
            return null;
        }
        String what =
                "the backing file's name (backing_file_offset is " + offset + ", backing_file_size is " + length + ")";
        String name = text(what, ByteBuffer.wrap(start, (int) offset, length), path);
        if (name.indexOf('\0') >= 0) {
            throw malformed(path, what + " contains a NUL byte");
        }
        return name;
    }

    static String text(String what, ByteBuffer bytes, Path path) throws Qcow2Exception {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
        } catch (CharacterCodingException e) {
            Qcow2Exception refusal = malformed(path, what + " is not UTF-8");
            refusal.initCause(e);
            throw refusal;
        }
    }
}
