package io.qfuse.qcow2.testing;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Runs qemu-img, for tests tagged {@code system}. */
public final class QemuImg {

    /**
     * What a check found.
     *
     * @param exit 0 clean, 1 the check failed, 2 corruptions, 3 leaks only
     * @param corruptions how many
     * @param leaks how many clusters
     * @param output what qemu-img said, for the message of a failing test
     */
    public record Check(int exit, int corruptions, int leaks, String output) {}

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

    /** Checks an image, changing nothing. */
    public static Check check(Object image) {
        StringBuilder output = new StringBuilder();
        int exit = run(output, "check", "--output=json", "-f", "qcow2", image);
        return new Check(exit, number(output, "corruptions"), number(output, "leaks"), output.toString());
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
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            output.append(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
            return process.waitFor();
        } catch (IOException | InterruptedException e) {
            throw new AssertionError("cannot run " + command, e);
        }
    }
}
