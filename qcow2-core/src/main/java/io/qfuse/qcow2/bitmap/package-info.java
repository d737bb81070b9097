/** Persistent dirty bitmaps. */
@NullMarked
package io.qfuse.qcow2.bitmap;

import org.jspecify.annotations.NullMarked;
