/**
 * How an image names another file: {@link io.qfuse.qcow2.reference.FileReference} is what it says, {@link
 * io.qfuse.qcow2.reference.FoundFile} where on this host that is. Nothing is opened here.
 */
@NullMarked
package io.qfuse.qcow2.reference;

import org.jspecify.annotations.NullMarked;
