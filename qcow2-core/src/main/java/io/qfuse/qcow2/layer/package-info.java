/** Layers of a backing chain that are no qcow2 images. */
@NullMarked
package io.qfuse.qcow2.layer;

import org.jspecify.annotations.NullMarked;
