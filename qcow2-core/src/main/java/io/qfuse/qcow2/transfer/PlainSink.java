package io.qfuse.qcow2.transfer;

import java.io.IOException;
import java.util.List;

/** A sink that takes bytes at any place and in any order. */
abstract class PlainSink implements Sink {

    private final boolean clears;

    /**
     * A sink.
     *
     * @param clears whether zeroes have to be written, because something else may be there
     */
    PlainSink(boolean clears) {
        this.clears = clears;
    }

    abstract void put(long offset, long address, int length) throws IOException;

    abstract void clear(long offset, long length) throws IOException;

    @Override
    public final Sink.Writer writer(int most) {
        return new PlainWriter();
    }

    private final class PlainWriter implements Sink.Writer {

        @Override
        public void write(Piece piece, long address, List<Segment> segments) throws IOException {
            for (Segment segment : segments) {
                long offset = piece.offset() + segment.start();
                if (!segment.zero()) {
                    put(offset, address + segment.start(), segment.length());
                } else if (clears) {
                    clear(offset, segment.length());
                }
            }
        }

        @Override
        public void writeZeroes(Piece piece) throws IOException {
            clear(piece.offset(), piece.length());
        }

        @Override
        public void close() {}
    }
}
