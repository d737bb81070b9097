/** Laying out new images: {@link io.qfuse.qcow2.create.NewImage} is the door. */
@NullMarked
package io.qfuse.qcow2.create;

import org.jspecify.annotations.NullMarked;
