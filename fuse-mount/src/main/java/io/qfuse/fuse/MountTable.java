package io.qfuse.fuse;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What is mounted, as this process sees it; a snapshot.
 *
 * <pre>
 * 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
 * id parent device root mountpoint options optional… - type source super-options      (proc(5), mountinfo)
 * </pre>
 */
public final class MountTable {

    private static final Path MOUNT_INFO = Path.of("/proc/self/mountinfo");

    private static final String USER = "user_id=";

    private final List<Entry> entries;

    private MountTable(List<Entry> entries) {
        this.entries = List.copyOf(entries);
    }

    /**
     * One mount.
     *
     * @param device major and minor number, as {@code 0:42}
     * @param mountPoint where it is mounted
     * @param type the file system's type
     * @param source what is mounted
     * @param user the user who has mounted it, where it is of type fuse; else -1
     */
    public record Entry(String device, Path mountPoint, String type, String source, int user) {

        /** Whether one of ours serves it. */
        public boolean isOurs() {
            return (type + ".").startsWith("fuse." + MountOptions.SUBTYPE + ".");
        }
    }

    /** Reads the table of this moment. */
    public static MountTable read() throws IOException {
        return parse(Files.readString(MOUNT_INFO, StandardCharsets.ISO_8859_1));
    }

    /** The table in the text of a mountinfo file, whose characters stand for bytes. */
    static MountTable parse(String mountInfo) {
        List<Entry> entries = new ArrayList<>();
        for (String line : mountInfo.split("\n", -1)) {
            int dash = line.indexOf(" - ");
            if (dash < 0) {
                continue;
            }
            String[] mount = line.substring(0, dash).split(" ", -1);
            String[] source = line.substring(dash + 3).split(" ", -1);
            if (mount.length >= 5 && source.length >= 2) {
                entries.add(new Entry(
                        mount[2],
                        Path.of(unescape(mount[4])),
                        unescape(source[0]),
                        unescape(source[1]),
                        user(source.length > 2 ? source[2] : "")));
            }
        }
        return new MountTable(entries);
    }

    private static int user(String options) {
        for (String word : options.split(",", -1)) {
            if (word.startsWith(USER)) {
                return Integer.parseUnsignedInt(word.substring(USER.length()));
            }
        }
        return -1;
    }

    /** All mounts, in the order that they were mounted. */
    public List<Entry> all() {
        return entries;
    }

    /** All mounts of ours, in the order that they were mounted. */
    public List<Entry> ours() {
        return entries.stream().filter(Entry::isOurs).toList();
    }

    /** The mount on top at a path: absolute, and without symbolic links. */
    public Optional<Entry> at(Path mountPoint) {
        return entries.stream()
                .filter(entry -> entry.mountPoint().equals(mountPoint))
                .reduce((below, above) -> above);
    }

    /** Resolves {@code \040} and the like, and takes the bytes as UTF-8. */
    private static String unescape(String field) {
        var bytes = new ByteArrayOutputStream(field.length());
        for (int i = 0; i < field.length(); i++) {
            char c = field.charAt(i);
            if (c == '\\' && i + 3 < field.length()) {
                bytes.write(Integer.parseInt(field.substring(i + 1, i + 4), 8));
                i += 3;
            } else {
                bytes.write(c);
            }
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }
}
