package io.qfuse.qcow2.transfer;

import java.io.IOException;
import java.util.List;

/** Where a disk is written to. Closing it before {@link #finish} gives up what was written. */
interface Sink extends AutoCloseable {

    /** Bytes of what it stores as one; it is given whole ones, but for the last. */
    int unit();

    /** Writes for one worker. For one thread at a time; many write at once. */
    interface Writer extends AutoCloseable {

        /**
         * Takes a piece of bytes; every piece of the plan is given to some writer, once.
         *
         * @param address where the bytes are
         * @param segments what they are
         */
        void write(Piece piece, long address, List<Segment> segments) throws IOException;

        /** Takes a piece that is known to be zeroes. */
        void writeZeroes(Piece piece) throws IOException;

        /** Frees memory. */
        @Override
        void close();
    }

    /** Whether it can say of a range that it is zeroes without being given them. */
    default boolean tellsZeroes() {
        return true;
    }

    /** A writer for one more worker, whose pieces of bytes have at most {@code most}. */
    Writer writer(int most);

    /** No further piece will come because some worker has failed: nobody waits for one any more. */
    default void giveUp() {}

    /** Makes all durable; called once, after all pieces. */
    void finish() throws IOException;

    @Override
    void close() throws IOException;
}
