/**
 * Where the bytes of a disk are, run by run, without opening it as one: {@link io.qfuse.qcow2.scan.ChainScan} walks the {@link
 * io.qfuse.qcow2.scan.Runs} of all layers at once. Made for whole disks: tables are read in large pieces and no object is made for a
 * run.
 */
@NullMarked
package io.qfuse.qcow2.scan;

import org.jspecify.annotations.NullMarked;
