@NullMarked
package io.qfuse.qcow2.transfer;

import org.jspecify.annotations.NullMarked;
