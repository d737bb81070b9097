/** Compressed streams to clusters: {@link io.qfuse.qcow2.codec.DecompressorPool} is the door. */
@NullMarked
package io.qfuse.qcow2.codec;

import org.jspecify.annotations.NullMarked;
