/** The public door of the qcow2 library: open, create, describe and serve disk images. */
@NullMarked
package io.qfuse.qcow2;

import org.jspecify.annotations.NullMarked;
