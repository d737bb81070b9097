/** Host files: native reads and writes, barriers, locks, buffers. */
@NullMarked
package io.qfuse.qcow2.io;

import org.jspecify.annotations.NullMarked;
