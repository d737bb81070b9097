package io.qfuse.it;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A control group of its own that limits the memory of its processes, of either version of the interface. At the end they go
 * back to the group of this process.
 */
final class MemoryLimit implements AutoCloseable {

    private static final Path ROOT = Path.of("/sys/fs/cgroup");

    private final Path group;
    private final Path home;

    private MemoryLimit(Path group, Path home) {
        this.group = group;
        this.home = home;
    }

    /** A new group without processes. */
    static MemoryLimit of(long bytes) throws IOException {
        boolean second = !Files.isDirectory(ROOT.resolve("memory"));
        Path home = ROOT.resolve(second ? "" : "memory");
        if (second) {
            Files.writeString(home.resolve("cgroup.subtree_control"), "+memory");
        }
        Path group = Files.createTempDirectory(home, "qfuse-it");
        Files.writeString(group.resolve(second ? "memory.max" : "memory.limit_in_bytes"), Long.toString(bytes));
        return new MemoryLimit(group, home);
    }

    /** Whether this is the first version, where whoever frees memory may wait for pages to be written back. */
    static boolean waitsForWriteBack() {
        return Files.isDirectory(ROOT.resolve("memory"));
    }

    /** The file that takes the numbers of processes that shall be limited. */
    Path processes() {
        return group.resolve("cgroup.procs");
    }

    /** How often the limit was reached. */
    long timesReached() throws IOException {
        if (waitsForWriteBack()) {
            return Long.parseLong(
                    Files.readString(group.resolve("memory.failcnt")).strip());
        }
        return Files.readAllLines(group.resolve("memory.events")).stream()
                .filter(line -> line.startsWith("max "))
                .mapToLong(line -> Long.parseLong(line.substring(4)))
                .sum();
    }

    @Override
    public void close() throws IOException {
        for (String process : Files.readAllLines(processes())) {
            try {
                Files.writeString(home.resolve("cgroup.procs"), process);
            } catch (IOException ended) {
                // It has left the group by itself.
            }
        }
        Files.delete(group);
    }
}
