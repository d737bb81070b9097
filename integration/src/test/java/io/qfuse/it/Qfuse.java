package io.qfuse.it;

import io.qfuse.fuse.Transport;
import java.nio.file.Files;
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

    /** Makes a copy of launcher and jars as an installation has them; gives its launcher. */
    static Path install(Shell shell, Path into) {
        Path launcher = into.resolve("qfuse");
        if (!Files.exists(launcher)) {
            new Qfuse(shell, LAUNCHER).ok("--version"); // makes sure that the jars are there
            shell.run("mkdir", "-p", into).ok();
            shell.run("cp", "-r", TREE.resolve("cli/target/app"), into.resolve("lib"))
                    .ok();
            shell.run("cp", LAUNCHER, launcher).ok();
            shell.run("chmod", "-R", "go+rX", into).ok();
        }
        return launcher;
    }

    /** The option of {@code qfuse mount} for a transport. */
    static String over(Transport transport) {
        IoUringHost.permit(transport);
        return switch (transport) {
            case KERNEL -> "--transport=kernel";
            case IO_URING -> "--transport=io_uring";
            case JNR_FUSE -> "--transport=jnr-fuse";
        };
    }

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
