package io.qfuse.fuse;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * File names for the snapshots of one image, whatever texts the image has for their ids and names.
 *
 * <ol>
 *   <li>A name is {@code ID-NAME.raw}, or {@code ID.raw} where the snapshot's name is empty.
 *   <li>{@code /}, control characters and halves of a character become {@code _}.
 *   <li>It takes 255 bytes of UTF-8 at most: what is too long is cut off before {@code .raw}, between two characters.
 *   <li>A second one of the same name gets {@code ~2} before {@code .raw}, a third one {@code ~3}.
 * </ol>
 *
 * <p>So none is {@code .} or {@code ..}, for each ends in {@code .raw}. Not thread-safe.
 */
final class SnapshotNames {

    private static final String SUFFIX = ".raw";
    private static final int MOST_BYTES = 255 - SUFFIX.length();
    /** What a mark takes at most: there are no more than 65536 snapshots. */
    private static final int MARK_BYTES = 6;

    private final Set<String> taken = new HashSet<>();
    /** The number that was last used behind a stem, so that many of one name are told apart in linear time. */
    private final Map<String, Integer> marks = new HashMap<>();

    /** The file name of the next snapshot. */
    String next(String id, String name) {
        String text = clean(name.isEmpty() ? id : id + "-" + name);
        String whole = cut(text, MOST_BYTES) + SUFFIX;
        if (taken.add(whole)) {
            return whole;
        }
        String stem = cut(text, MOST_BYTES - MARK_BYTES);
        for (; ; ) {
            String marked = stem + "~" + marks.merge(stem, 2, (last, first) -> last + 1) + SUFFIX;
            if (taken.add(marked)) {
                return marked;
            }
        }
    }

    private static String clean(String text) {
        StringBuilder clean = new StringBuilder(Math.min(text.length(), 2 * MOST_BYTES));
        // More characters than bytes are allowed will be cut anyway.
        text.codePoints().limit(MOST_BYTES).forEach(c -> clean.appendCodePoint(isUsable(c) ? c : '_'));
        return clean.toString();
    }

    private static boolean isUsable(int c) {
        return c != '/' && !Character.isISOControl(c) && (c < Character.MIN_SURROGATE || c > Character.MAX_SURROGATE);
    }

    /** As many of the first characters as fit. */
    private static String cut(String text, int mostBytes) {
        int bytes = 0;
        for (int at = 0; at < text.length(); at = text.offsetByCodePoints(at, 1)) {
            bytes += utf8Length(text.codePointAt(at));
            if (bytes > mostBytes) {
                return text.substring(0, at);
            }
        }
        return text;
    }

    private static int utf8Length(int c) {
        if (c < 0x80) {
            return 1;
        }
        return c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    }
}
