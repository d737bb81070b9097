/** Work of one request on several processors. */
@NullMarked
package io.qfuse.qcow2.parallel;

import org.jspecify.annotations.NullMarked;
