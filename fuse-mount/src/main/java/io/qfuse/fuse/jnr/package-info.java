/** The second way from the kernel: libfuse2, through jnr-fuse; the door is {@code Libfuse2Transport}. */
@NullMarked
package io.qfuse.fuse.jnr;

import org.jspecify.annotations.NullMarked;
