package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Native.LIBC;

import io.qfuse.fuse.MountException;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The set-uid helper that mounts and unmounts for ordinary users: {@code fusermount3}, or {@code fusermount} of FUSE 2.
 *
 * <p>It sends the descriptor of /dev/fuse that it opened and mounted through a socket whose number it finds in
 * {@code _FUSE_COMMFD}. A {@link ProcessBuilder} cannot hand a socket to a child; posix_spawn(3) can, as its standard
 * input.
 */
final class Fusermount {

    private static final List<String> PROGRAMS = List.of("fusermount3", "fusermount");
    private static final List<String> USUAL_PLACES = List.of("/usr/bin", "/bin", "/usr/local/bin");

    private Fusermount() {}

    /** Mounts with a list of options and returns the descriptor that the requests come from. */
    static int mount(Path mountPoint, String options) throws IOException {
        String program = program(mountPoint);
        try (var ends = new Pair(Pair::socket)) {
            run(mountPoint, List.of(program, "-o", options, "--", mountPoint.toString()), ends);
            int device = DescriptorMessage.receive(ends.mine());
            if (device < 0) {
                throw new MountException(mountPoint, program + " sent no descriptor");
            }
            return device;
        }
    }

    /** Unmounts; {@code lazily} means out of the tree at once, and away when the last user leaves. */
    static void unmount(Path mountPoint, boolean lazily) throws IOException {
        List<String> command = new ArrayList<>(List.of(program(mountPoint), "-u"));
        if (lazily) {
            command.add("-z");
        }
        command.addAll(List.of("--", mountPoint.toString()));
        try (var ends = new Pair(Pair::socket)) {
            run(mountPoint, command, ends);
        }
    }

    private static String program(Path mountPoint) throws MountException {
        List<String> places = new ArrayList<>(List.of(path().split(":", -1)));
        places.addAll(USUAL_PLACES);
        for (String name : PROGRAMS) {
            for (String place : places) {
                var file = new File(place, name);
                if (!place.isEmpty() && file.canExecute()) {
                    return file.getPath();
                }
            }
        }
        throw new MountException(
                mountPoint, "an ordinary user mounts with fusermount3, which is not there: install fuse3");
    }

    private static String path() {
        String path = System.getenv("PATH");
        return path == null ? "" : path;
    }

    /** Runs to the end, with the other end of the socket as its standard input; its complaint becomes the exception. */
    private static void run(Path mountPoint, List<String> command, Pair socket) throws IOException {
        try (var errors = new Pair(Pair::pipe);
                var actions = new NativeBytes(Native.SPAWN_FILE_ACTIONS_SIZE);
                var pid = new NativeBytes(8)) {
            LIBC.posix_spawn_file_actions_init(actions.address());
            LIBC.posix_spawn_file_actions_adddup2(actions.address(), socket.other(), 0);
            LIBC.posix_spawn_file_actions_adddup2(actions.address(), errors.other(), 2);
            int failed = LIBC.posix_spawn(
                    pid.address(), command.get(0), actions.address(), 0, array(command), environment());
            LIBC.posix_spawn_file_actions_destroy(actions.address());
            if (failed != 0) {
                throw new MountException(command.get(0), "cannot be run: " + LIBC.strerror(failed));
            }
            errors.closeOther();
            socket.closeOther();
            String complaint = errors.readAll();
            if (exitStatus(pid.getInt(0)) != 0) {
                throw new MountException(mountPoint, oneLine(complaint, command.get(0)));
            }
        }
    }

    private static int exitStatus(int pid) {
        try (var status = new NativeBytes(8)) {
            while (LIBC.waitpid(pid, status.address(), 0) < 0) {
                if (Native.errno() != io.qfuse.fuse.Errno.EINTR) {
                    return -1;
                }
            }
            return status.getInt(0);
        }
    }

    private static String oneLine(String complaint, String program) {
        String line = String.join("; ", complaint.strip().split("\\s*\n\\s*", -1));
        return line.isEmpty() ? program + " failed and said nothing" : line;
    }

    private static String[] environment() {
        Map<String, String> environment = new TreeMap<>(System.getenv());
        environment.put("_FUSE_COMMFD", "0");
        return array(environment.entrySet().stream()
                .map(entry -> entry.getKey() + "=" + entry.getValue())
                .toList());
    }

    private static String[] array(List<String> strings) {
        return strings.toArray(String[]::new);
    }
}
