/**
 * Finding what is wrong with an image, changing nothing. {@link io.qfuse.qcow2.check.ImageChecker} is the door; a
 * {@link io.qfuse.qcow2.check.CheckReport} of {@link io.qfuse.qcow2.check.Finding}s comes out.
 *
 * <p>First all tables are walked and each reference to a host cluster is counted ({@code TableWalk} into
 * {@code RefcountTally}); then the counts are compared with those that the image stores ({@code StoredRefcounts}).
 */
@NullMarked
package io.qfuse.qcow2.check;

import org.jspecify.annotations.NullMarked;
