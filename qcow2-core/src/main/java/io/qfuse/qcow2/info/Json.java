package io.qfuse.qcow2.info;

import java.util.List;
import java.util.Map;
import java.util.StringJoiner;

/** Writes JSON: maps, lists, strings, whole numbers and booleans. */
public final class Json {

    private static final String INDENT = "    ";

    private Json() {}

    /** The value as JSON over several lines, without a newline at the end. */
    public static String of(Object value) {
        return of(value, "");
    }

    private static String of(Object value, String indent) {
        String deeper = indent + INDENT;
        if (value instanceof Map<?, ?> map) {
            StringJoiner fields = new StringJoiner(",\n", "{\n", "\n" + indent + "}");
            map.forEach((key, field) -> fields.add(deeper + quote(key.toString()) + ": " + of(field, deeper)));
            return fields.toString();
        }
        if (value instanceof List<?> list) {
            StringJoiner items = new StringJoiner(",\n", "[\n", "\n" + indent + "]");
            items.setEmptyValue("[\n" + indent + "]");
            list.forEach(item -> items.add(deeper + of(item, deeper)));
            return items.toString();
        }
        return value instanceof String text ? quote(text) : value.toString();
    }

    private static String quote(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                quoted.append('\\').append(c);
            } else if (c < ' ' || c == 0x7f || Character.isSurrogate(c)) {
                quoted.append(String.format("\\u%04x", (int) c));
            } else {
                quoted.append(c);
            }
        }
        return quoted.append('"').toString();
    }
}
