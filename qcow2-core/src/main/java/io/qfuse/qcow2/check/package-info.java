/**
 * Finding what is wrong with an image, and mending what wrong refcounts are. {@link io.qfuse.qcow2.check.ImageChecker}
 * changes nothing; a {@link io.qfuse.qcow2.check.CheckReport} of {@link io.qfuse.qcow2.check.Finding}s comes out.
 * {@link io.qfuse.qcow2.check.ImageRepair} makes a dirty image clean, {@link io.qfuse.qcow2.check.RequestedRepair} repairs what a
 * user asks for.
 *
 * <p>First all tables are walked and each reference to a host cluster is counted ({@code References} into {@code
 * RefcountTally}); then the counts are compared with those that the image stores ({@code StoredRefcounts}), and corrected
 * or written anew ({@code RefcountRebuild}).
 */
@NullMarked
package io.qfuse.qcow2.check;

import org.jspecify.annotations.NullMarked;
