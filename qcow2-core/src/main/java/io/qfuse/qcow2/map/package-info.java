/** The mapping of guest clusters to what is stored for them, and the lock around it. */
@NullMarked
package io.qfuse.qcow2.map;

import org.jspecify.annotations.NullMarked;
