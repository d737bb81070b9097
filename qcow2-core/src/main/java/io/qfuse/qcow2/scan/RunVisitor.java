package io.qfuse.qcow2.scan;

import java.io.IOException;

/** Told of the runs of a disk in ascending order, without gaps. */
@FunctionalInterface
public interface RunVisitor {

    /** The run reads as zeroes. */
    int ZERO = 1;
    /** The run's bytes are stored. */
    int DATA = 2;
    /** They are stored compressed. */
    int COMPRESSED = 4;
    /** Some layer says what is there; without it nothing is stored in any layer. */
    int PRESENT = 8;

    /** The {@code host} of a run that has no place in a file. */
    long NOWHERE = -1;

    /**
     * One run; the next differs from it in more than its place.
     *
     * @param start the guest offset of its first byte
     * @param length its bytes, at least 1
     * @param depth the layer that decides, 0 for the image itself
     * @param flags {@link #ZERO}, {@link #DATA}, {@link #COMPRESSED} and {@link #PRESENT}, summed up
     * @param host where it is in that layer's file, set aside at least; {@link #NOWHERE} where it is not, or cannot be read
     *     as it is there
     */
    void run(long start, long length, int depth, int flags, long host) throws IOException;
}
