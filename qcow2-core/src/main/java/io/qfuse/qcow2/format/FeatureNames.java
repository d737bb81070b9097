package io.qfuse.qcow2.format;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The feature name table, a header extension that lets a program name a feature it does not know (format notes, section
 * 3). Entries of 48 bytes:
 *
 * <pre>
 *   0  u8  type: 0 incompatible, 1 compatible, 2 autoclear
 *   1  u8  bit
 *   2  46  name, padded with zeroes
 * </pre>
 */
public final class FeatureNames {

    /** The type of an incompatible feature. */
    static final int INCOMPATIBLE = 0;

    private static final int COMPATIBLE = 1;
    private static final int AUTOCLEAR = 2;
    private static final int ENTRY = 48;
    private static final int NAME = 2;

    private record Name(int type, int bit, String text) {}

    private static final List<Name> KNOWN = List.of(
            new Name(INCOMPATIBLE, 0, "dirty bit"),
            new Name(INCOMPATIBLE, 1, "corrupt bit"),
            new Name(INCOMPATIBLE, 2, "external data file"),
            new Name(INCOMPATIBLE, 3, "compression type"),
            new Name(INCOMPATIBLE, 4, "extended L2 entries"),
            new Name(COMPATIBLE, 0, "lazy refcounts"),
            new Name(AUTOCLEAR, 0, "bitmaps"),
            new Name(AUTOCLEAR, 1, "raw external data"));

    private FeatureNames() {}

    /** The table of all features that this library knows by name. */
    public static HeaderExtension table() {
        ByteBuffer table = ByteBuffer.allocate(KNOWN.size() * ENTRY);
        for (int i = 0; i < KNOWN.size(); i++) {
            Name name = KNOWN.get(i);
            table.position(i * ENTRY);
            table.put((byte) name.type).put((byte) name.bit).put(name.text.getBytes(StandardCharsets.US_ASCII));
        }
        return new HeaderExtension(HeaderExtension.FEATURE_NAMES, table.array());
    }

    /** The name that the image's own table gives to a bit, fit for a message; empty where it has none. */
    static String find(List<HeaderExtension> extensions, int type, int bit) {
        for (HeaderExtension extension : extensions) {
            if (extension.type() == HeaderExtension.FEATURE_NAMES) {
                byte[] data = extension.data();
                for (int at = 0; at + ENTRY <= data.length; at += ENTRY) {
                    if (data[at] == type && data[at + 1] == bit) {
                        return printable(data, at + NAME, at + ENTRY);
                    }
                }
            }
        }
        return "";
    }

    /** An image is not trusted with control characters on the user's terminal. */
    private static String printable(byte[] data, int from, int to) {
        StringBuilder text = new StringBuilder();
        for (int i = from; i < to && data[i] != 0; i++) {
            text.append(data[i] >= ' ' && data[i] < 0x7f ? (char) data[i] : '?');
        }
        return text.toString();
    }
}
