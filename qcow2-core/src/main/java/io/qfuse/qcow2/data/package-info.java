/** Guest reads, writes, zeroes and resizes. */
@NullMarked
package io.qfuse.qcow2.data;

import org.jspecify.annotations.NullMarked;
