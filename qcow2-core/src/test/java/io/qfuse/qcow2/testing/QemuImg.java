package io.qfuse.qcow2.testing;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Runs qemu-img and qemu-io, for tests tagged {@code system}. */
public final class QemuImg {

    /**
     * What a check found.
     *
     * @param exit 0 clean, 1 the check failed, 2 corruptions, 3 leaks only
     * @param corruptions how many
     * @param leaks how many clusters
     * @param output what qemu-img said, for the message of a failing test
     */
    public record Check(int exit, int corruptions, int leaks, String output) {

        /** A number of the report; 0 where it is left out. */
        public long number(String field) {
            Matcher matcher = Pattern.compile("\"" + field + "\": (\\d+)").matcher(output);
            return matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
        }
    }

    private static final int KEPT = 32 << 10;

    private QemuImg() {}

    /** Runs a command that has to succeed, and gives its output. */
    public static String run(Object... words) {
        StringBuilder output = new StringBuilder();
        int exit = run(output, words);
        if (exit != 0) {
            throw new AssertionError("exit code " + exit + " from qemu-img " + List.of(words) + ": " + output);
        }
        return output.toString();
    }

    /** Runs a command that may be refused; whether it was not. */
    public static boolean succeeds(Object... words) {
        return run(new StringBuilder(), words) == 0;
    }

    /** Checks an image, changing nothing. */
    public static Check check(Object image) {
        return check(List.of("-f", "qcow2", image));
    }

    /** Checks an image that is opened by certain words, changing nothing. */
    public static Check check(List<Object> opened) {
        StringBuilder output = new StringBuilder();
        List<Object> words = new ArrayList<>(List.of("check", "--output=json"));
        words.addAll(opened);
        int exit = run(output, words.toArray());
        return new Check(exit, number(output, "corruptions"), number(output, "leaks"), output.toString());
    }

    /** Runs commands of qemu-io on an image; all have to succeed. */
    public static void io(Object image, String... commands) {
        io(List.of("-f", "qcow2"), image, commands);
    }

    /** Runs commands of qemu-io on an image that is opened in a certain way; all have to succeed. */
    public static void io(List<String> how, Object image, String... commands) {
        List<String> command = new ArrayList<>(List.of("qemu-io"));
        command.addAll(how);
        for (String one : commands) {
            command.add("-c");
            command.add(one);
        }
        command.add(image.toString());
        StringBuilder output = new StringBuilder();
        if (run(output, command) != 0 || output.indexOf("failed") >= 0) {
            throw new AssertionError("failed: " + command + ": " + output);
        }
    }

    /** Runs commands of qemu-io on an image, and kills it before it can put anything in order. */
    public static void ioAndKill(Object image, String... commands) {
        List<String> command = new ArrayList<>(List.of("qemu-io", "-f", "qcow2"));
        for (String one : commands) {
            command.add("-c");
            command.add(one);
        }
        command.addAll(List.of("-c", "sigraise 9", image.toString()));
        StringBuilder output = new StringBuilder();
        int exit = run(output, command);
        if (exit != 128 + 9 || output.indexOf("failed") >= 0) {
            throw new AssertionError("exit code " + exit + " of " + command + ": " + output);
        }
    }

    private static int number(CharSequence json, String field) {
        Matcher matcher = Pattern.compile("\"" + field + "\": (\\d+)").matcher(json);
        return matcher.find() ? Integer.parseInt(matcher.group(1)) : 0;
    }

    private static int run(StringBuilder output, Object... words) {
        List<String> command = new ArrayList<>(List.of("qemu-img"));
        for (Object word : words) {
            command.add(word.toString());
        }
        return run(output, command);
    }

    private static int run(StringBuilder output, List<String> command) {
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            byte[] piece = process.getInputStream().readNBytes(KEPT);
            while (piece.length > 0) {
                // A check of a badly damaged image may complain for gigabytes; what counts comes last.
                output.append(new String(piece, StandardCharsets.UTF_8));
                output.delete(0, Math.max(0, output.length() - KEPT));
                piece = process.getInputStream().readNBytes(KEPT);
            }
            return process.waitFor();
        } catch (IOException | InterruptedException e) {
            throw new AssertionError("cannot run " + command, e);
        }
    }
}
