package io.qfuse.qcow2;

import java.io.ByteArrayOutputStream;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** An input of the fuzzer as a line: hexadecimal digits, and how many zeroes a longer run of them has, as {@code [400]}. */
final class FuzzInput {

    private static final Pattern PART = Pattern.compile("\\[([0-9]+)]|([0-9a-f]+)");
    private static final int SHORT_RUN = 4;

    private FuzzInput() {}

    static byte[] parse(String line) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Matcher part = PART.matcher(line);
        while (part.find()) {
            bytes.writeBytes(
                    part.group(1) == null
                            ? HexFormat.of().parseHex(part.group(2))
                            : new byte[Integer.parseInt(part.group(1))]);
        }
        return bytes.toByteArray();
    }

    static String format(byte[] bytes) {
        StringBuilder line = new StringBuilder();
        for (int at = 0; at < bytes.length; ) {
            int end = at;
            while (end < bytes.length && bytes[end] == 0) {
                end++;
            }
            if (end - at > SHORT_RUN) {
                line.append('[').append(end - at).append(']');
                at = end;
            } else {
                line.append(HexFormat.of().toHexDigits(bytes[at++]));
            }
        }
        return line.toString();
    }
}
