package io.qfuse.it.bench;

import org.junit.jupiter.api.Test;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;

/**
 * Runs the benchmarks of the parts. Its name keeps it out of the tests; the property {@code jmh} holds JMH's own words, such as
 * {@code "RangeLock -t 2"}.
 */
class PartsBenchmark {

    @Test
    void parts_are_measured() throws CommandLineOptionException, RunnerException {
        String[] words = System.getProperty("jmh", "").split(" ", -1);
        var unused = new Runner(new CommandLineOptions(words)).run();
    }
}
