/**
 * Disks as files: {@link io.qfuse.fuse.Mount} puts images at a mount point, {@link io.qfuse.fuse.MountOptions} says how,
 * {@link io.qfuse.fuse.MountTable} finds what is mounted.
 *
 * <p>Requests flow one way: a transport ({@code kernel} or {@code jnr}) reads them, {@link io.qfuse.fuse.ImageFileSystem}
 * gives them their meaning, and a {@link io.qfuse.qcow2.Disk} does them.
 */
@NullMarked
package io.qfuse.fuse;

import org.jspecify.annotations.NullMarked;
