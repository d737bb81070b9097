package io.qfuse.it;

import java.util.List;

/**
 * How a tool ended and what it said.
 *
 * @param command the words that were run
 * @param exit its exit code
 * @param out what it wrote to stdout
 * @param err what it wrote to stderr
 */
record Result(List<String> command, int exit, String out, String err) {

    /** Itself where it ended with 0; otherwise the test fails with all that the tool said. */
    Result ok() {
        return ended(0);
    }

    /** Itself where it ended with that code; otherwise the test fails with all that the tool said. */
    Result ended(int code) {
        if (exit != code) {
            throw new AssertionError("exit code " + exit + " instead of " + code + " from " + this);
        }
        return this;
    }

    @Override
    public String toString() {
        return String.join(" ", command) + "\n[exit code " + exit + "]\n[stdout]\n" + out + "[stderr]\n" + err;
    }
}
