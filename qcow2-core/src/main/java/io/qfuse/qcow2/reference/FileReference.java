package io.qfuse.qcow2.reference;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;

/**
 * What an image calls another file (format notes, sections 11 and 12): a path, {@code file:} before a path, or a {@code json:}
 * tree that wraps a file and no more than says its format.
 *
 * @param name the path as written
 * @param format {@code "qcow2"} or {@code "raw"} where the reference says so, else empty
 * @param tree whether it is a {@code json:} tree
 */
public record FileReference(String name, String format, boolean tree) {

    /** More bytes than any path has on this host. */
    static final int LONGEST = 4095;

    private static final String JSON = "json:";
    private static final String FILE = "file:";
    private static final Set<String> FILE_DRIVERS = Set.of("file", "host_device");

    /** Options that change how QEMU works and not what it reads; the protocol layer's with and without its prefix. */
    private static final Set<String> WITHOUT_MEANING = Set.of(
            "node-name",
            "read-only",
            "auto-read-only",
            "discard",
            "detect-zeroes",
            "force-share",
            "cache.direct",
            "cache.no-flush",
            "locking",
            "aio",
            "aio-max-batch",
            "drop-cache",
            "lazy-refcounts",
            "pass-discard-request",
            "pass-discard-snapshot",
            "pass-discard-other",
            "overlap-check",
            "cache-size",
            "l2-cache-size",
            "l2-cache-entry-size",
            "refcount-cache-size",
            "cache-clean-interval");

    /**
     * Reads a reference.
     *
     * @param stored the name as the image stores it
     * @param what what it names, for messages: "backing file" or "external data file"
     * @param image the image, for messages
     * @throws Qcow2Exception of kind MALFORMED or UNSUPPORTED where it is not the path of a file
     */
    public static FileReference parse(String stored, String what, Path image) throws Qcow2Exception {
        if (stored.isEmpty() || stored.indexOf('\0') >= 0) {
            String why = stored.isEmpty() ? "is empty" : "contains a NUL byte";
            throw new Qcow2Exception(Kind.MALFORMED, image, "the " + what + "'s name " + why);
        }
        if (stored.length() > LONGEST) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED,
                    image,
                    "the " + what + "'s name has " + stored.length() + " characters, more than " + LONGEST);
        }
        if (stored.startsWith(JSON)) {
            try {
                return ofTree(JsonTree.options(stored.substring(JSON.length())));
            } catch (IllegalArgumentException e) {
                throw new Qcow2Exception(
                        Kind.UNSUPPORTED, image, what + " \"" + stored + "\" is not served: " + e.getMessage());
            }
        }
        if (hasProtocol(stored) && !stored.startsWith(FILE)) {
            throw new Qcow2Exception(Kind.UNSUPPORTED, image, what + " \"" + stored + "\" is not a path of this host");
        }
        return new FileReference(stored.startsWith(FILE) ? stored.substring(FILE.length()) : stored, "", false);
    }

    private static boolean hasProtocol(String name) {
        int colon = name.indexOf(':');
        int slash = name.indexOf('/');
        return colon >= 0 && (slash < 0 || colon < slash);
    }

    private static FileReference ofTree(Map<String, String> options) {
        String driver = options.getOrDefault("driver", "");
        boolean wrapped = options.keySet().stream().anyMatch(option -> option.startsWith("file."));
        String protocol = wrapped ? options.getOrDefault("file.driver", "file") : driver;
        String filename = options.get(wrapped ? "file.filename" : "filename");
        if (wrapped && !Set.of("", "qcow2", "raw").contains(driver)) {
            throw new IllegalArgumentException("its driver \"" + driver + "\" is neither qcow2 nor raw");
        }
        if (!FILE_DRIVERS.contains(protocol)) {
            throw new IllegalArgumentException("its driver \"" + protocol + "\" is no file of this host");
        }
        for (String option : options.keySet()) {
            String bare = option.startsWith("file.") ? option.substring("file.".length()) : option;
            boolean read = bare.equals("driver") || option.equals(wrapped ? "file.filename" : "filename");
            if (!read && !WITHOUT_MEANING.contains(bare)) {
                throw new IllegalArgumentException("its option \"" + option + "\" is not supported");
            }
        }
        if (filename == null || filename.isEmpty() || filename.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("it names no file");
        }
        return new FileReference(filename, wrapped ? driver : "", true);
    }
}
