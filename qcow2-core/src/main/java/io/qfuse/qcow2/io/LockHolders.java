package io.qfuse.qcow2.io;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Who holds locks on a file, as far as this user may see. The kernel does not tell whom an open file description belongs to,
 * but shows its locks beside each descriptor of it:
 *
 * <pre>
 * lock:	1: OFDLCK  ADVISORY  READ -1 fe:00:2146680 201 201     (proc(5), fdinfo)
 * </pre>
 */
final class LockHolders {

    private static final Path PROC = Path.of("/proc");

    private LockHolders() {}

    /** The other holders as {@code qemu-io (process 12)}; empty where none is to be seen. */
    static String describe(NativeHostFile file) throws IOException {
        String locked = " " + file.lockedName() + " ";
        Path own = PROC.resolve(ProcessHandle.current().pid() + "/fdinfo/" + file.descriptor());
        List<String> holders = new ArrayList<>();
        for (Path process : list(PROC, "[0-9]*")) {
            boolean holds = list(process.resolve("fdinfo"), "*").stream()
                    .anyMatch(info -> !info.equals(own)
                            && text(info).lines().anyMatch(line -> line.startsWith("lock:") && line.contains(locked)));
            if (holds) {
                holders.add(program(process) + " (process " + process.getFileName() + ")");
            }
        }
        return String.join(", ", holders);
    }

    /** The name of its program; that of the jar where it is Java's. */
    private static String program(Path process) {
        String name = text(process.resolve("comm")).strip();
        List<String> words = Arrays.asList(text(process.resolve("cmdline")).split("\0", -1));
        int jar = words.indexOf("-jar") + 1;
        return name.equals("java") && jar > 0 && jar < words.size()
                ? words.get(jar).replaceFirst(".*/", "").replaceFirst("\\.jar$", "")
                : name;
    }

    private static List<Path> list(Path directory, String glob) {
        List<Path> entries = new ArrayList<>();
        try (DirectoryStream<Path> found = Files.newDirectoryStream(directory, glob)) {
            found.forEach(entries::add);
        } catch (IOException | DirectoryIteratorException endedOrNotOurs) {
            return List.of();
        }
        return entries;
    }

    private static String text(Path file) {
        try {
            return Files.readString(file, StandardCharsets.ISO_8859_1);
        } catch (IOException endedOrNotOurs) {
            return "";
        }
    }
}
