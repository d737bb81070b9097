package io.qfuse.qcow2;

import io.qfuse.qcow2.io.HostFile;
import org.jspecify.annotations.Nullable;

/**
 * The files of one image, open.
 *
 * @param image the image itself
 * @param data the external data file, or null where guest data are in the image
 */
record ImageFiles(HostFile image, @Nullable HostFile data) {}
