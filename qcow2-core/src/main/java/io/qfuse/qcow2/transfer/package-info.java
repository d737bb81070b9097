/** Whole images from one place to another: {@link io.qfuse.qcow2.transfer.Conversion} is the door. */
@NullMarked
package io.qfuse.qcow2.transfer;

import org.jspecify.annotations.NullMarked;
