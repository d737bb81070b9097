/** What stops writing: a read-only image, metadata that make no sense, a failed flush. */
@NullMarked
package io.qfuse.qcow2.guard;

import org.jspecify.annotations.NullMarked;
