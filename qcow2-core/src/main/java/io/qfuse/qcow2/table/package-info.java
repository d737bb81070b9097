/** Metadata tables as cached slices: every L1, L2 and refcount entry is read and changed through here. */
@NullMarked
package io.qfuse.qcow2.table;

import org.jspecify.annotations.NullMarked;
