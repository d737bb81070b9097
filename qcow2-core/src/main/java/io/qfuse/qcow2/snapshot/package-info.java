/** Internal snapshots. */
@NullMarked
package io.qfuse.qcow2.snapshot;

import org.jspecify.annotations.NullMarked;
