/** The ordered flush that makes metadata durable. */
@NullMarked
package io.qfuse.qcow2.commit;

import org.jspecify.annotations.NullMarked;
