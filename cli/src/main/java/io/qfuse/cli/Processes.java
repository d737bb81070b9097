package io.qfuse.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The processes of this machine as /proc shows them. What ended meanwhile, or is none of our business, is left out.
 */
final class Processes {

    private static final Path PROC = Path.of("/proc");

    private Processes() {}

    /** The numbers of all processes. */
    static List<Long> all() throws IOException {
        List<Long> pids = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(PROC, "[0-9]*")) {
            for (Path entry : entries) {
                pids.add(pid(entry));
            }
        }
        return pids;
    }

    /** The process that an entry such as {@code /proc/12/fd/3} belongs to. */
    static long pid(Path entry) {
        return Long.parseLong(entry.getName(1).toString());
    }

    /** Its open descriptors, as symbolic links. */
    static List<Path> descriptors(long pid) {
        List<Path> descriptors = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(of(pid).resolve("fd"))) {
            entries.forEach(descriptors::add);
        } catch (IOException | DirectoryIteratorException notOurs) {
            descriptors.clear();
        }
        return descriptors;
    }

    /** What a symbolic link of /proc points at; empty where that is not to be known. */
    static String target(Path link) {
        try {
            return Files.readSymbolicLink(link).toString();
        } catch (IOException notOurs) {
            return "";
        }
    }

    /** The user whose file a descriptor leads to; -1 where that is not to be known. */
    static int owner(Path descriptor) {
        try {
            return (int) Files.getAttribute(descriptor, "unix:uid");
        } catch (IOException notOurs) {
            return -1;
        }
    }

    /** The files that it holds in any way: open, mapped, run, or as its working or root directory. */
    static List<String> heldFiles(long pid) {
        List<String> held = new ArrayList<>();
        for (Path descriptor : descriptors(pid)) {
            held.add(target(descriptor));
        }
        for (String link : List.of("cwd", "root", "exe")) {
            held.add(target(of(pid).resolve(link)));
        }
        for (String line : lines(of(pid).resolve("maps"))) {
            int path = line.indexOf('/');
            if (path >= 0) {
                held.add(line.substring(path));
            }
        }
        return held;
    }

    /** The name of its program. */
    static String name(long pid) {
        List<String> lines = lines(of(pid).resolve("comm"));
        return lines.isEmpty() ? "?" : lines.get(0);
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file, StandardCharsets.ISO_8859_1);
        } catch (IOException notOurs) {
            return List.of();
        }
    }

    private static Path of(long pid) {
        return PROC.resolve(Long.toString(pid));
    }
}
