package io.qfuse.qcow2.format;

import static io.qfuse.qcow2.format.FieldReader.hex;
import static io.qfuse.qcow2.format.FieldReader.malformed;

import io.qfuse.qcow2.Qcow2Exception;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The list of header extensions (format notes, section 3): u32 id, u32 length, data padded to 8 bytes; id 0 or the end
 * of the area ends it.
 */
final class HeaderExtensions {

    private static final int PREFIX = 8;
    private static final int END = 0;

    private HeaderExtensions() {}

    static List<HeaderExtension> decode(byte[] start, int from, int end, Path path) throws Qcow2Exception {
        List<HeaderExtension> found = new ArrayList<>();
        Set<Integer> ids = new HashSet<>();
        // A file may end in its first cluster; what it lacks counts as zeroes, so as the end of the list.
        int readable = Math.min(end, start.length);
        int at = from;
        while (at + PREFIX <= readable) {
            int id = ByteBuffer.wrap(start).getInt(at);
            if (id == END) {
                break;
            }
            long length = Integer.toUnsignedLong(ByteBuffer.wrap(start).getInt(at + 4));
            at += PREFIX;
            if (length > readable - at) {
                throw malformed(
                        path,
                        "header extension " + hex(Integer.toUnsignedLong(id)) + " has " + length + " bytes, but only "
                                + (readable - at) + " are left for it");
            }
            if (!ids.add(id)) {
                throw malformed(path, "header extension " + hex(Integer.toUnsignedLong(id)) + " appears twice");
            }
            found.add(new HeaderExtension(id, Arrays.copyOfRange(start, at, at + (int) length)));
            at += padded((int) length);
        }
        return found;
    }

    static void encode(List<HeaderExtension> extensions, ByteBuffer out) {
        for (HeaderExtension extension : extensions) {
            int next = out.position() + PREFIX + padded(extension.data().length);
            out.putInt(extension.type()).putInt(extension.data().length).put(extension.data());
            out.position(next);
        }
        out.putLong(END);
    }

    /** Bytes of the list with its end marker. */
    static int encodedLength(List<HeaderExtension> extensions) {
        int length = PREFIX;
        for (HeaderExtension extension : extensions) {
            length += PREFIX + padded(extension.data().length);
        }
        return length;
    }

    private static int padded(int length) {
        return (length + 7) & -8;
    }
}
