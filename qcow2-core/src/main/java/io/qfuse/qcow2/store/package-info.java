/** Where guest bytes are stored, and how. */
@NullMarked
package io.qfuse.qcow2.store;

import org.jspecify.annotations.NullMarked;
