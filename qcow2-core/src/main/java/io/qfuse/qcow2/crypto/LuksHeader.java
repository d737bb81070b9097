package io.qfuse.qcow2.crypto;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderExtension;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/**
 * The LUKS1 header of an encrypted image (format notes, section 10), as decoded and found sound.
 *
 * <pre>
 *   0 "LUKS" ba be   8 cipher name     72 hash name        108 key bytes         164 digest iterations
 *   6 version, 1    40 cipher mode    104 payload offset   112 digest of the key 168 UUID
 *                                                          132 its salt          208 eight key slots of 48 bytes:
 *   a slot: 0 whether active, 4 iterations, 8 salt, 40 offset of the key material, 44 stripes; offsets in sectors
 * </pre>
 *
 * @param start where it is in the image, in bytes
 * @param spec how sectors are encrypted
 * @param hash the hash of PBKDF2 and of the key's splitter
 * @param payloadOffset what the header says of where data begin, in bytes; not used in an image
 * @param digest 20 bytes that tell the right key; callers do not modify them
 * @param digestSalt 32 bytes for PBKDF2; callers do not modify them
 * @param digestIterations of PBKDF2 over the key
 * @param uuid its name
 * @param slots the eight key slots
 */
@SuppressWarnings("ArrayRecordComponent") // compared by nobody
public record LuksHeader(
        long start,
        CipherSpec spec,
        Hash hash,
        long payloadOffset,
        byte[] digest,
        byte[] digestSalt,
        long digestIterations,
        String uuid,
        List<KeySlot> slots) {

    /** Bytes of the header without key material. */
    static final int BYTES = 592;

    /** The number of stripes that everybody uses, and QEMU demands. */
    static final int STRIPES = 4000;

    private static final byte[] MAGIC = {'L', 'U', 'K', 'S', (byte) 0xba, (byte) 0xbe};
    private static final int SECTOR = 512;
    private static final int SLOTS = 8;
    private static final int SLOT_BYTES = 48;
    private static final int NAME_BYTES = 32;
    private static final int UUID_BYTES = 40;
    private static final int DIGEST_BYTES = 20;
    private static final int SALT_BYTES = 32;
    private static final int ACTIVE = 0x00ac71f3;
    private static final int INACTIVE = 0xdead;

    /** The slots are copied. */
    public LuksHeader {
        slots = List.copyOf(slots);
    }

    /**
     * Reads the header of an image with LUKS encryption.
     *
     * @throws Qcow2Exception where it lies outside the file, breaks its format, or names a cipher that is not known
     */
    public static LuksHeader read(HostFile file, Header header) throws IOException {
        ByteBuffer place =
                ByteBuffer.wrap(header.extension(HeaderExtension.CRYPTO).orElseThrow());
        long start = place.getLong(0);
        long length = place.getLong(Long.BYTES);
        if (length < BYTES) {
            throw malformed(file.path(), "the crypto header's length is " + length + ", less than " + BYTES);
        }
        if (length > file.size() - start) {
            throw malformed(
                    file.path(),
                    "truncated: the crypto header's length is " + length + " at 0x" + Long.toHexString(start)
                            + ", the file ends at 0x" + Long.toHexString(file.size()));
        }
        byte[] bytes = new byte[BYTES];
        file.read(start, bytes);
        return decode(bytes, start, length, file.path());
    }

    /**
     * Decodes a header.
     *
     * @param length bytes of the header with its key material
     */
    static LuksHeader decode(byte[] bytes, long start, long length, Path path) throws Qcow2Exception {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        if (!Arrays.equals(bytes, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
            throw malformed(
                    path,
                    "the crypto header at 0x" + Long.toHexString(start) + " is no LUKS header: it starts with "
                            + HexFormat.of().formatHex(bytes, 0, MAGIC.length) + ", not 4c554b53babe");
        }
        if (in.getShort(6) != 1) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED, path, "LUKS version is " + Short.toUnsignedInt(in.getShort(6)) + ", not 1");
        }
        long keyBytes = u32(in, 108);
        if (keyBytes < 1 || keyBytes > 64) {
            throw malformed(path, "LUKS key bytes are " + keyBytes + ", not 1 to 64");
        }
        CipherSpec spec = CipherSpec.parse(
                text(in, 8, NAME_BYTES, "cipher name", path),
                text(in, 40, NAME_BYTES, "cipher mode", path),
                (int) keyBytes,
                path);
        long iterations = u32(in, 164);
        if (iterations == 0) {
            throw malformed(path, "LUKS digest iterations are 0");
        }
        List<KeySlot> slots = new ArrayList<>();
        for (int i = 0; i < SLOTS; i++) {
            slots.add(slot(in.slice(208 + i * SLOT_BYTES, SLOT_BYTES), i, keyBytes, length, path));
        }
        return new LuksHeader(
                start,
                spec,
                Hash.of(text(in, 72, NAME_BYTES, "hash name", path), path),
                u32(in, 104) * SECTOR,
                bytes(in, 112, DIGEST_BYTES),
                bytes(in, 132, SALT_BYTES),
                iterations,
                text(in, 168, UUID_BYTES, "UUID", path),
                slots);
    }

    private static KeySlot slot(ByteBuffer in, int number, long keyBytes, long length, Path path)
            throws Qcow2Exception {
        int state = in.getInt(0);
        if (state != ACTIVE && state != INACTIVE) {
            throw malformed(path, "LUKS key slot " + number + " is neither active nor not: 0x" + hex(state));
        }
        KeySlot slot =
                new KeySlot(state == ACTIVE, u32(in, 4), bytes(in, 8, SALT_BYTES), u32(in, 40) * SECTOR, u32(in, 44));
        if (slot.active()) {
            if (slot.iterations() == 0) {
                throw malformed(path, "LUKS key slot " + number + " has 0 iterations");
            }
            if (slot.stripes() != STRIPES) {
                throw malformed(
                        path, "LUKS key slot " + number + " has " + slot.stripes() + " stripes, not " + STRIPES);
            }
            if (slot.materialOffset() < BYTES || slot.materialOffset() + keyBytes * STRIPES > length) {
                throw malformed(
                        path,
                        "LUKS key slot " + number + " has its key material in sector "
                                + slot.materialOffset() / SECTOR + ", not inside the crypto header of "
                                + length + " bytes");
            }
        }
        return slot;
    }

    private static String text(ByteBuffer in, int offset, int length, String what, Path path) throws Qcow2Exception {
        byte[] field = bytes(in, offset, length);
        int end = 0;
        while (end < length && field[end] > ' ') { // what is no ASCII is negative
            end++;
        }
        if (end == length || field[end] != 0) {
            throw malformed(
                    path, "the LUKS " + what + " is no text: " + HexFormat.of().formatHex(field));
        }
        return new String(field, 0, end, StandardCharsets.US_ASCII);
    }

    private static byte[] bytes(ByteBuffer in, int offset, int length) {
        byte[] bytes = new byte[length];
        in.get(offset, bytes);
        return bytes;
    }

    private static long u32(ByteBuffer in, int offset) {
        return Integer.toUnsignedLong(in.getInt(offset));
    }

    private static String hex(int value) {
        return Integer.toHexString(value);
    }

    private static Qcow2Exception malformed(Path path, String why) {
        return new Qcow2Exception(Kind.MALFORMED, path, why);
    }

    /** The cipher with its key's length, as QEMU names it, such as {@code aes-256}. */
    public String cipher() {
        return spec.algorithmLabel();
    }

    /** The mode, such as {@code xts}. */
    public String mode() {
        return spec.modeLabel();
    }

    /** The IV generator, such as {@code plain64}. */
    public String iv() {
        return spec.ivLabel();
    }

    /** The hash of IV generator {@code essiv}; empty with others. */
    public String ivHash() {
        Hash named = spec.ivHash();
        return spec.iv() == IvGenerator.Kind.ESSIV && named != null ? named.label() : "";
    }

    /** The hash of PBKDF2, such as {@code sha256}. */
    public String hashName() {
        return hash.label();
    }
}
