package io.qfuse.qcow2.format;

import static io.qfuse.qcow2.format.FieldReader.hex;
import static io.qfuse.qcow2.format.FieldReader.malformed;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Optional;

/** The rules between the fields of a header, checked before anything is sized or read by them (sections 1 to 3, 24). */
final class HeaderRules {

    private HeaderRules() {}

    static void check(Header header, Path path, long fileLength) throws Qcow2Exception {
        checkMethods(header, path);
        checkL1(header, path);
        checkTable("refcount_table_offset", header.refcountTableOffset(), header, path);
        requireInside("refcount_table_offset", header.refcountTableOffset(), fileLength, path);
        checkTable("l1_table_offset", header.l1Offset(), header, path, header.l1Size());
        if (header.l1Size() > 0) {
            requireInside("l1_table_offset", header.l1Offset(), fileLength, path);
        }
        checkTable("snapshots_offset", header.snapshotsOffset(), header, path, header.snapshotCount());
        if (header.snapshotCount() > 0) {
            requireInside("snapshots_offset", header.snapshotsOffset(), fileLength, path);
        }
        checkExtensions(header, path);
    }

    private static void checkMethods(Header header, Path path) throws Qcow2Exception {
        if (header.cryptMethod() < 0 || header.cryptMethod() > Header.CRYPT_LUKS) {
            throw unsupported(
                    path, "crypt_method is " + Integer.toUnsignedString(header.cryptMethod()) + ", not 0 to 2");
        }
        if (header.compressionType() > Header.COMPRESSION_ZSTD) {
            throw unsupported(path, "compression_type is " + header.compressionType() + ", not 0 or 1");
        }
        boolean typed = (header.incompatible() & Features.COMPRESSION_TYPE) != 0;
        if (typed != (header.compressionType() != 0)) {
            throw malformed(
                    path,
                    "compression_type is " + header.compressionType() + ", but incompatible_features is "
                            + hex(header.incompatible()) + ", with bit 3 " + (typed ? "set" : "clear"));
        }
        boolean extended = (header.incompatible() & Features.EXTENDED_L2) != 0;
        if (extended && header.clusterBits() < Limits.MIN_EXTENDED_L2_CLUSTER_BITS) {
            throw malformed(path, "cluster_bits is " + header.clusterBits() + ", too small for extended L2 entries");
        }
    }

    private static void checkL1(Header header, Path path) throws Qcow2Exception {
        boolean extended = (header.incompatible() & Features.EXTENDED_L2) != 0;
        int reachBits = 2 * header.clusterBits() - (extended ? 4 : 3);
        long whole = header.size() >>> reachBits;
        long needed = whole + ((header.size() & ((1L << reachBits) - 1)) == 0 ? 0 : 1);
        if (header.l1Size() < needed) {
            throw malformed(
                    path,
                    "l1_size is " + header.l1Size() + ", but a disk of " + header.size() + " bytes needs " + needed);
        }
    }

    private static void checkTable(String name, long offset, Header header, Path path, int entries)
            throws Qcow2Exception {
        if (entries > 0) {
            checkTable(name, offset, header, path);
        }
    }

    private static void checkTable(String name, long offset, Header header, Path path) throws Qcow2Exception {
        if ((offset & ((1L << header.clusterBits()) - 1)) != 0) {
            throw malformed(
                    path,
                    name + " is " + hex(offset) + ", not at the start of a cluster (cluster_bits is "
                            + header.clusterBits() + ")");
        }
        if (offset == 0) {
            throw malformed(path, name + " is 0, where the header is");
        }
        if (offset >= Limits.MAX_HOST_OFFSET) {
            throw malformed(path, name + " is " + hex(offset) + ", beyond 2^56");
        }
    }

    private static void requireInside(String name, long offset, long fileLength, Path path) throws Qcow2Exception {
        if (offset >= fileLength) {
            throw malformed(
                    path, "truncated: " + name + " is " + hex(offset) + ", the file ends at " + hex(fileLength));
        }
    }

    private static void checkExtensions(Header header, Path path) throws Qcow2Exception {
        Optional<byte[]> format = header.extension(HeaderExtension.BACKING_FORMAT);
        if (format.isPresent()) {
            byte[] name = format.get();
            if (name.length > Limits.MAX_BACKING_FORMAT) {
                throw malformed(path, "the backing format's name has " + name.length + " bytes, more than 15");
            }
            if (HeaderCodec.text("the backing format's name", ByteBuffer.wrap(name), path)
                            .indexOf('\0')
                    >= 0) {
                throw malformed(path, "the backing format's name contains a NUL byte");
            }
        }
        Optional<byte[]> dataFile = header.extension(HeaderExtension.DATA_FILE);
        if (header.hasExternalData() && dataFile.isPresent()) {
            HeaderCodec.text("the external data file's name", ByteBuffer.wrap(dataFile.get()), path);
        }
        Optional<byte[]> crypto = header.extension(HeaderExtension.CRYPTO);
        if (crypto.isPresent()) {
            checkCrypto(header, crypto.get(), path);
        } else if (header.cryptMethod() == Header.CRYPT_LUKS) {
            throw malformed(path, "crypt_method is 2 (LUKS), but there is no crypto header extension");
        }
        Optional<byte[]> bitmaps = header.extension(HeaderExtension.BITMAPS);
        if (bitmaps.isPresent() && (header.autoclear() & Features.BITMAPS) != 0) {
            checkBitmaps(header, bitmaps.get(), path);
        }
    }

    private static void checkCrypto(Header header, byte[] data, Path path) throws Qcow2Exception {
        if (header.cryptMethod() != Header.CRYPT_LUKS) {
            throw malformed(path, "there is a crypto header extension, but crypt_method is " + header.cryptMethod());
        }
        requireExtensionLength("crypto header", data, 16, path);
        FieldReader in = new FieldReader(ByteBuffer.wrap(data), path);
        checkTable("the crypto header's offset", in.u64("the crypto header's offset", 0), header, path);
        in.u64("the crypto header's length", 8);
    }

    private static void checkBitmaps(Header header, byte[] data, Path path) throws Qcow2Exception {
        requireExtensionLength("bitmaps", data, 24, path);
        FieldReader in = new FieldReader(ByteBuffer.wrap(data), path);
        in.u32("nb_bitmaps", 0, 1, Limits.MAX_BITMAPS);
        in.u32("the bitmaps extension's reserved field", 4, 0, 0);
        long size = in.u64("bitmap_directory_size", 8);
        if (size > Limits.MAX_BITMAP_DIRECTORY_BYTES) {
            throw malformed(
                    path, "bitmap_directory_size is " + size + ", more than " + Limits.MAX_BITMAP_DIRECTORY_BYTES);
        }
        checkTable("bitmap_directory_offset", in.u64("bitmap_directory_offset", 16), header, path);
    }

    private static void requireExtensionLength(String name, byte[] data, int length, Path path) throws Qcow2Exception {
        if (data.length != length) {
            throw malformed(path, "the " + name + " extension has " + data.length + " bytes, not " + length);
        }
    }

    private static Qcow2Exception unsupported(Path path, String why) {
        return new Qcow2Exception(Kind.UNSUPPORTED, path, why);
    }
}
