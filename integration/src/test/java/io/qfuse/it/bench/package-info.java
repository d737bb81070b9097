/**
 * How long the parts take that a request goes through, measured by JMH. {@link io.qfuse.it.bench.PartsBenchmark} runs them,
 * when it is asked for by name; a build only compiles them.
 */
@NullMarked
package io.qfuse.it.bench;

import org.jspecify.annotations.NullMarked;
