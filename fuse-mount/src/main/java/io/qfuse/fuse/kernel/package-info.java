/** The kernel's own FUSE protocol, spoken from Java threads on /dev/fuse; the door is {@code KernelTransport}. */
@NullMarked
package io.qfuse.fuse.kernel;

import org.jspecify.annotations.NullMarked;
