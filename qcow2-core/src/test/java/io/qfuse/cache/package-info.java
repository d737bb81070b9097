/** Tests of the slice cache that run under Lincheck: here, so that one virtual machine is rewritten for it and not two. */
@NullMarked
package io.qfuse.cache;

import org.jspecify.annotations.NullMarked;
