package io.qfuse.it;

import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * Runs the launcher as a user does.
 *
 * @param shell where and with which variables
 * @param launcher the script
 */
record Qfuse(Shell shell, Path launcher) {

    /** The source tree; tests run in the folder of their module. */
    static final Path TREE = Path.of("..").toAbsolutePath().normalize();

    /** The launcher of the source tree. */
    static final Path LAUNCHER = TREE.resolve("qfuse");

    /** Runs one command to its end. */
    Result run(Object... words) {
        return shell.run(command(words));
    }

    /** Runs one command that has to succeed. */
    Result ok(Object... words) {
        return run(words).ok();
    }

    /** Starts one command and leaves it running. */
    Process start(Object... words) {
        return shell.start(command(words));
    }

    private Object[] command(Object... words) {
        return Stream.concat(Stream.of(launcher), Stream.of(words)).toArray();
    }
}
