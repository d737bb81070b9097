package io.qfuse.qcow2.io;

/** Text for the user's terminal: names come from images, which are not trusted with control characters there. */
public final class OneLine {

    private OneLine() {}

    /** The text with a question mark for each control character, line ends among them. */
    public static String of(String text) {
        StringBuilder line = new StringBuilder(text);
        for (int i = 0; i < line.length(); i++) {
            if (isControl(line.charAt(i))) {
                line.setCharAt(i, '?');
            }
        }
        return line.toString();
    }

    /** Also those that end a line or turn its direction without being control characters. */
    private static boolean isControl(char c) {
        int type = Character.getType(c);
        return type == Character.CONTROL
                || type == Character.FORMAT
                || type == Character.LINE_SEPARATOR
                || type == Character.PARAGRAPH_SEPARATOR;
    }
}
