/** Describing an image in words and in JSON; {@link io.qfuse.qcow2.ImageInfo} is the door. */
@NullMarked
package io.qfuse.qcow2.info;

import org.jspecify.annotations.NullMarked;
