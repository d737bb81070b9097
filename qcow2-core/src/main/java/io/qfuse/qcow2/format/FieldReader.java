package io.qfuse.qcow2.format;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/** Reads big-endian fields by name, and refuses those outside their range with the name and the value. */
final class FieldReader {

    private final ByteBuffer bytes;
    private final Path path;

    /** The fields in {@code bytes}; the caller has seen that they are all there. */
    FieldReader(ByteBuffer bytes, Path path) {
        this.bytes = bytes;
        this.path = path;
    }

    int u32(String name, int offset, long least, long most) throws Qcow2Exception {
        long value = Integer.toUnsignedLong(bytes.getInt(offset));
        if (value < least || value > most) {
            throw malformed(path, name + " is " + value + ", not " + least + " to " + most);
        }
        return (int) value;
    }

    /** A 64-bit size or offset, which must leave the sign bit free. */
    long u64(String name, int offset) throws Qcow2Exception {
        long value = bytes.getLong(offset);
        if (value < 0) {
            throw malformed(path, name + " is " + Long.toUnsignedString(value) + ", beyond 2^63 - 1");
        }
        return value;
    }

    long bits(int offset) {
        return bytes.getLong(offset);
    }

    static Qcow2Exception malformed(Path path, String why) {
        return new Qcow2Exception(Kind.MALFORMED, path, why);
    }

    static String hex(long value) {
        return "0x" + Long.toHexString(value);
    }
}
