package io.qfuse.fuse;

import io.qfuse.fuse.MountOptions.AllowOther;

/** One word of a {@code -o} list: its meaning, or why it is refused. */
final class MountWord {

    private MountWord() {}

    static MountOptions apply(MountOptions options, String word) {
        for (MountFlag flag : MountFlag.values()) {
            if (word.equals(flag.setWord())) {
                return options.withFlag(flag, true);
            }
            if (word.equals(flag.clearWord())) {
                return options.withFlag(flag, false);
            }
        }
        int equals = word.indexOf('=');
        return equals < 0
                ? plain(options, word)
                : valued(options, word.substring(0, equals), word.substring(equals + 1));
    }

    private static MountOptions plain(MountOptions options, String word) {
        return switch (word) {
            case "defaults" -> options;
            case "allow_other" -> options.withAllowOther(AllowOther.ON);
            case "default_permissions" -> options.withDefaultPermissions();
            case "allow_root" -> throw refused(word, "not supported; allow_other lets root in, and umask= others out");
            case "uid", "gid", "umask", "fsname", "subtype" ->
                throw refused(word, "needs a value, as in " + word + "=…");
            default -> throw refused(word, "unknown");
        };
    }

    private static MountOptions valued(MountOptions options, String key, String value) {
        return switch (key) {
            case "uid" -> options.withOwner(number(key, value, 10), options.gid(), options.umask());
            case "gid" -> options.withOwner(options.uid(), number(key, value, 10), options.umask());
            case "umask" -> options.withOwner(options.uid(), options.gid(), umask(value));
            case "fsname" -> options.withFsName(text(key, value));
            case "subtype" -> options.withSubtype(subtype(text(key, value)));
            default -> throw refused(key + "=" + value, "unknown");
        };
    }

    /** Whatever it is called beside, a mount of ours can be told from others by its type. */
    private static String subtype(String value) {
        return value.equals(MountOptions.SUBTYPE) ? value : MountOptions.SUBTYPE + "." + value;
    }

    private static int umask(String value) {
        int umask = number("umask", value, 8);
        if (umask > 0777) {
            throw refused("umask=" + value, "more than 0777");
        }
        return umask;
    }

    private static int number(String key, String value, int radix) {
        try {
            int number = Integer.parseInt(value, radix);
            if (number >= 0) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Told below, with the word that holds it.
        }
        throw refused(key + "=" + value, radix == 8 ? "not an octal number" : "not a number");
    }

    private static String text(String key, String value) {
        if (value.isEmpty()) {
            throw refused(key + "=", "empty");
        }
        return value;
    }

    private static IllegalArgumentException refused(String word, String why) {
        return new IllegalArgumentException("mount option '" + word + "': " + why);
    }
}
