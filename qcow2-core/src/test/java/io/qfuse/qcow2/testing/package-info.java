/** Host files in memory for tests: a plain one, and one whose power can be cut at any moment. */
@NullMarked
package io.qfuse.qcow2.testing;

import org.jspecify.annotations.NullMarked;
