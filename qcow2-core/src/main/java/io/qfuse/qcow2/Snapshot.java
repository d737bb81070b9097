package io.qfuse.qcow2;

import java.time.Instant;

/**
 * An internal snapshot of an open image (format notes, section 8).
 *
 * @param id its id, a decimal number as a rule; any text
 * @param name its name, any text; what is no UTF-8 is there as replacement characters
 * @param date when it was taken, as the image says
 * @param disk its state, read-only. It lives in the open image: closing it does nothing, and it ends with the image
 */
public record Snapshot(String id, String name, Instant date, Disk disk) {}
