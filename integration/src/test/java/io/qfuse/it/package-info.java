/**
 * The whole program against the tools of the field. {@link io.qfuse.it.Scratch} gives a test its directory and the
 * runners, and cleans up behind it; the runners put what a tool said into the failure.
 */
@NullMarked
package io.qfuse.it;

import org.jspecify.annotations.NullMarked;
