/**
 * Compressed streams to clusters and back: {@link io.qfuse.qcow2.codec.DecompressorPool} and
 * {@link io.qfuse.qcow2.codec.Compressor} are the doors.
 */
@NullMarked
package io.qfuse.qcow2.codec;

import org.jspecify.annotations.NullMarked;
