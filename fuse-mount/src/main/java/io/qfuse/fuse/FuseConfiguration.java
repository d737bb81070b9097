package io.qfuse.fuse;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the host lets ordinary users do, by the file that fusermount reads. */
final class FuseConfiguration {

    static final Path FILE = Path.of("/etc/fuse.conf");

    private FuseConfiguration() {}

    /** Whether an ordinary user may let others into his mounts. */
    static boolean usersMayAllowOthers() {
        try {
            return allowsOthers(Files.readString(FILE, StandardCharsets.ISO_8859_1));
        } catch (IOException e) {
            // Without the file, fusermount says no as well.
            return false;
        }
    }

    static boolean allowsOthers(String text) {
        return text.lines().map(String::strip).anyMatch("user_allow_other"::equals);
    }
}
