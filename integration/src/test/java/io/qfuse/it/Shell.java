package io.qfuse.it;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Runs tools in one directory with some variables set. A run ends when the tool has ended and everything that it left
 * running has let go of its stdout and stderr: so what stays attached by mistake shows as a run that does not end.
 *
 * @param directory where the tools start
 * @param environment variables on top of the test's own
 * @param prefix a command that runs the tools, such as one that changes the user; most often empty
 */
record Shell(Path directory, Map<String, String> environment, List<String> prefix) {

    /** The longest that any one tool may take in a test. */
    private static final long SECONDS = 60;

    /** The number of a user and a group without any rights. */
    static final int ORDINARY_USER = 65534;

    /** Runs a tool to its end. */
    Result run(Object... words) {
        Process process = start(words);
        closeInput(process);
        CompletableFuture<String> out = drain(process.getInputStream());
        CompletableFuture<String> err = drain(process.getErrorStream());
        List<String> command = Arrays.stream(words).map(Object::toString).toList();
        try {
            if (!process.waitFor(SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new TimeoutException("it did not end within " + SECONDS + " s");
            }
            return new Result(
                    command,
                    process.exitValue(),
                    out.get(SECONDS, TimeUnit.SECONDS),
                    err.get(SECONDS, TimeUnit.SECONDS));
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
            throw new AssertionError("while running " + command, e);
        }
    }

    /** Runs a script of the POSIX shell that stops at its first failing command. */
    Result script(String script) {
        return run("sh", "-e", "-c", script);
    }

    /** Starts a tool and leaves it running. */
    Process start(Object... words) {
        List<String> command = new ArrayList<>(prefix);
        for (Object word : words) {
            command.add(word.toString());
        }
        ProcessBuilder builder = new ProcessBuilder(command).directory(directory.toFile());
        builder.environment().putAll(environment);
        try {
            return builder.start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The same with one more variable, or one less where the value is null. */
    Shell with(String name, @Nullable String value) {
        Map<String, String> more = new HashMap<>(environment);
        if (value == null) {
            more.remove(name);
        } else {
            more.put(name, value);
        }
        return new Shell(directory, Map.copyOf(more), prefix);
    }

    /** The same as a user without any rights. */
    Shell asOrdinaryUser() {
        String id = Integer.toString(ORDINARY_USER);
        return new Shell(
                directory, environment, List.of("setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups"));
    }

    /** The same in another directory. */
    Shell in(Path other) {
        return new Shell(other, environment, prefix);
    }

    private static void closeInput(Process process) {
        try {
            process.getOutputStream().close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static CompletableFuture<String> drain(InputStream stream) {
        return CompletableFuture.supplyAsync(
                () -> {
                    try (stream) {
                        return new String(stream.readAllBytes(), UTF_8);
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                },
                command -> new Thread(command, "drain").start());
    }
}
