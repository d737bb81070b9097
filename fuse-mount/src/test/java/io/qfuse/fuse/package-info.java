/** Tests of the mounts. */
@NullMarked
package io.qfuse.fuse;

import org.jspecify.annotations.NullMarked;
