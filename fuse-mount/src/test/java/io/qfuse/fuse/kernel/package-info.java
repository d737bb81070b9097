/** Tests of the kernel transport. */
@NullMarked
package io.qfuse.fuse.kernel;

import org.jspecify.annotations.NullMarked;
