package io.qfuse.it;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs qemu-io on qcow2 images.
 *
 * @param shell where and with which variables
 */
record QemuIo(Shell shell) {

    /** Runs its commands on an image, one after another; fails the test where one fails. */
    Result on(Path image, String... commands) {
        return opened(List.of("-f", "qcow2", image), commands);
    }

    /** The same on an image that takes other words to open. */
    Result opened(List<Object> image, String... commands) {
        List<Object> words = new ArrayList<>(List.of("qemu-io"));
        for (String command : commands) {
            words.add("-c");
            words.add(command);
        }
        words.addAll(image);
        Result result = shell.run(words.toArray()).ok();
        // It ends with 0 after a pattern that did not match.
        if (result.out().contains("Pattern verification failed")) {
            throw new AssertionError(result.toString());
        }
        return result;
    }
}
