package io.qfuse.it;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A fresh directory for each test, whose mounts, loop devices and processes are gone after it, however it ended. What
 * belongs to the test is told by the directory: mount points and backing files lie below it, and processes carry it in
 * their environment.
 */
final class Scratch implements BeforeEachCallback, AfterEachCallback {

    private static final Path PROC = Path.of("/proc");
    private static final Pattern ENDED = Pattern.compile("^State:\\s+[ZX]", Pattern.MULTILINE);

    private Path directory = Path.of("/nonexistent");

    @Override
    public void beforeEach(ExtensionContext context) throws IOException {
        directory = Files.createTempDirectory("qfuse-it").toRealPath();
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.createDirectory(path("tmp"));
        Files.setPosixFilePermissions(path("tmp"), PosixFilePermissions.fromString("rwxrwxrwx"));
    }

    @Override
    public void afterEach(ExtensionContext context) throws IOException {
        // Forced first: a thread that waits for its own server ends by nothing else.
        mounts().forEach(mount -> shell().run("umount", "-f", mount));
        for (long pid : processes()) {
            ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
        }
        for (int round = 0; round < 3; round++) {
            loopDevices().forEach(device -> shell().run("losetup", "-d", device));
            mounts().forEach(mount -> shell().run("umount", "-l", mount));
        }
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    /** The path of that name in the test's directory. */
    Path path(String name) {
        return directory.resolve(name);
    }

    /** A new directory of that name in the test's directory. */
    Path directory(String name) throws IOException {
        return Files.createDirectory(path(name));
    }

    /** Runs tools in the test's directory. */
    Shell shell() {
        return new Shell(directory, Map.of("TMPDIR", path("tmp").toString()), List.of());
    }

    /** Runs the launcher of the source tree in the test's directory. */
    Qfuse qfuse() {
        return new Qfuse(shell(), Qfuse.LAUNCHER);
    }

    /** Runs a copy of the program in the test's directory that every user may run, as an ordinary user. */
    Qfuse qfuseAsOrdinaryUser() throws IOException {
        return new Qfuse(shell().asOrdinaryUser(), Qfuse.install(shell(), path("installed")));
    }

    /** Runs qemu-img in the test's directory. */
    QemuImg qemuImg() {
        return new QemuImg(shell());
    }

    /** Runs qemu-io in the test's directory. */
    QemuIo qemuIo() {
        return new QemuIo(shell());
    }

    /** The mount points below the directory, the last mounted first. */
    List<String> mounts() throws IOException {
        List<String> found = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of("/proc/self/mountinfo"))) {
            String mountPoint = line.split(" ", -1)[4];
            if (mountPoint.startsWith(directory + "/")) {
                found.add(mountPoint.replace("\\040", " "));
            }
        }
        Collections.reverse(found);
        return found;
    }

    /** The loop devices over files below the directory. */
    List<String> loopDevices() throws IOException {
        List<String> found = new ArrayList<>();
        try (Stream<Path> devices = Files.list(Path.of("/sys/block"))) {
            for (Path device : devices.toList()) {
                Path backing = device.resolve("loop/backing_file");
                if (Files.exists(backing) && Files.readString(backing).startsWith(directory + "/")) {
                    found.add("/dev/" + device.getFileName());
                }
            }
        }
        return found;
    }

    /** The processes that were started with the directory in their environment and still run. */
    List<Long> processes() throws IOException {
        List<Long> found = new ArrayList<>();
        try (Stream<Path> entries = Files.list(PROC)) {
            for (Path entry : entries.toList()) {
                String name = entry.getFileName().toString();
                if (name.chars().allMatch(Character::isDigit)
                        && text(entry.resolve("environ")).contains(directory + "/")) {
                    found.add(Long.parseLong(name));
                }
            }
        }
        return found;
    }

    /** Those of them that run a program of that name. */
    List<Long> processesRunning(String program) throws IOException {
        return processes().stream()
                .filter(pid -> text(PROC.resolve(pid + "/comm")).equals(program + "\n"))
                .toList();
    }

    /** Kills the process whose number is in a file, and waits for its end. */
    void kill(String pidFile) throws Exception {
        long pid = Long.parseLong(Files.readString(path(pidFile)).strip());
        ProcessHandle.of(pid).orElseThrow().destroyForcibly();
        awaitEnd(List.of(pid));
    }

    /**
     * Returns when processes hold no file and no lock any more: what ends gives up its memory first, and with it all by which
     * {@link #processes} knows it, and its files with the last of its threads.
     */
    static void awaitEnd(List<Long> pids) throws Exception {
        for (long pid : pids) {
            Await.until("process " + pid + " ends", () -> threads(pid).allMatch(Scratch::hasEnded));
        }
    }

    private static Stream<Path> threads(long pid) {
        String[] threads = PROC.resolve(pid + "/task").toFile().list();
        return threads == null ? Stream.of() : Stream.of(threads).map(PROC.resolve(pid + "/task")::resolve);
    }

    private static boolean hasEnded(Path thread) {
        String status = text(thread.resolve("status"));
        return status.isEmpty() || ENDED.matcher(status).find();
    }

    /** What a file of /proc says; nothing where its process has ended. */
    private static String text(Path file) {
        try {
            return Files.readString(file, ISO_8859_1);
        } catch (IOException ended) {
            return "";
        }
    }
}
