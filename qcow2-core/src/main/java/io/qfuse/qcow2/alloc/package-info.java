/** Refcounts, the search for free clusters, and clusters that are freed but not yet free. */
@NullMarked
package io.qfuse.qcow2.alloc;

import org.jspecify.annotations.NullMarked;
