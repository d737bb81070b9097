package io.qfuse.qcow2.map;

/**
 * Where the active L1 table lies, as the header says it.
 *
 * @param offset its host offset
 * @param entries its entries
 */
public record L1Location(long offset, int entries) {}
