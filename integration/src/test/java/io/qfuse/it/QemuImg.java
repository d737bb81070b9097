package io.qfuse.it;

import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * Runs qemu-img.
 *
 * @param shell where and with which variables
 */
record QemuImg(Shell shell) {

    /** Runs one command that has to succeed. */
    Result ok(Object... words) {
        return run(words).ok();
    }

    /** Runs one command to its end. */
    Result run(Object... words) {
        return shell.run(Stream.concat(Stream.of("qemu-img"), Stream.of(words)).toArray());
    }

    /** Fails the test unless the image is without any fault, leaks included. */
    void check(Path image) {
        ok("check", image);
    }

    /** Fails the test where the image has a fault worse than leaked clusters. */
    void checkLeaksAtWorst(Path image) {
        Result result = run("check", image);
        if (result.exit() != 3) {
            result.ok();
        }
    }

    /** Fails the test unless both read the same; formats by name. */
    void same(String formatA, Path a, String formatB, Path b) {
        ok("compare", "-f", formatA, "-F", formatB, a, b);
    }
}
