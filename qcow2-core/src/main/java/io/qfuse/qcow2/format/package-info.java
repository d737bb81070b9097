/** The on-disk format, pure: bytes in, values out, no I/O. */
@NullMarked
package io.qfuse.qcow2.format;

import org.jspecify.annotations.NullMarked;
