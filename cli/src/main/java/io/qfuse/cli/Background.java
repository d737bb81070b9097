package io.qfuse.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.qfuse.fuse.IoFlusher;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Runs a command again in a process of its own that outlives this one.
 *
 * <p>The child writes its errors to the stderr that it inherits, and {@link #READY} to its stdout, a pipe to the parent,
 * when it serves. Then the parent ends, and the child lets go of both. A child whose parent has gone before cannot say that
 * it is ready: nobody knows of it, so it ends.
 */
final class Background {

    private static final String MARK = "qfuse.detached";
    private static final String READY = "qfuse: ready";

    private Background() {}

    /** Whether this process is the child. */
    static boolean isChild() {
        return Boolean.getBoolean(MARK);
    }

    /**
     * Starts the child and waits until it serves or has ended.
     *
     * @param words the command line behind the program's name
     * @param withInput whether the child reads this process's standard input; else it has none
     * @return the exit code for this process
     */
    static int start(List<String> words, boolean withInput) throws IOException, InterruptedException {
        return awaitReady(launch(words, withInput));
    }

    /** The first half of {@link #start}: starts the child. */
    static Process launch(List<String> words, boolean withInput) throws IOException {
        IoFlusher.markThisThread(); // for all threads of the child, the virtual machine's own among them
        return new ProcessBuilder(command(words))
                .redirectInput(
                        withInput
                                ? ProcessBuilder.Redirect.INHERIT
                                : ProcessBuilder.Redirect.from(
                                        Path.of("/dev/null").toFile()))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    /** The second half: waits until the child serves or has ended. */
    static int awaitReady(Process child) throws IOException, InterruptedException {
        try (BufferedReader said = child.inputReader(UTF_8)) {
            for (String line = said.readLine(); line != null; line = said.readLine()) {
                if (line.equals(READY)) {
                    return 0;
                }
                System.err.println(line); // the virtual machine's own warnings
            }
        }
        int code = child.waitFor();
        if (code == 0 || code > Qfuse.USAGE) {
            throw new Failure("the server", "ended with code " + code + " before it served");
        }
        return code;
    }

    /** Tells the parent that this child serves; fails where it does not wait any more. */
    static void tellReady() throws IOException {
        @SuppressWarnings("resource") // stdout is not ours to close
        FileOutputStream parent = new FileOutputStream(FileDescriptor.out);
        try {
            parent.write((READY + "\n").getBytes(UTF_8));
        } catch (IOException e) {
            throw new Failure("the command that started this server", "was ended before the server was ready");
        }
    }

    // The same Java with the same flags: what stands in this process's command line up to the jar.
    private static List<String> command(List<String> words) throws IOException {
        List<String> own = Arrays.asList(
                Files.readString(Path.of("/proc/self/cmdline"), UTF_8).split("\0", -1));
        int jar = own.indexOf("-jar") + 1;
        if (jar == 0 || jar >= own.size()) {
            throw new Failure("cannot go to the background", "not started by the launcher; use --foreground");
        }
        List<String> command = new ArrayList<>();
        command.add(Files.readSymbolicLink(Path.of("/proc/self/exe")).toString());
        command.add("-D" + MARK + "=true");
        command.addAll(own.subList(1, jar + 1));
        command.addAll(words);
        return command;
    }
}
