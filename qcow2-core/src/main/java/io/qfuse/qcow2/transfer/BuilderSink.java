package io.qfuse.qcow2.transfer;

import io.qfuse.qcow2.CreateOptions;
import io.qfuse.qcow2.codec.Compressor;
import io.qfuse.qcow2.create.ImageBuilder;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A new qcow2 image. Workers compress at the same time, are given places in the file in the order of the disk, and write at the same
 * time again: so the file does not depend on who was faster.
 */
final class BuilderSink implements Sink {

    private final HostFile file;
    private final ImageBuilder builder;
    private final CreateOptions options;
    private final boolean compressed;
    private final boolean clears;
    private final Turns turns = new Turns();

    /**
     * A sink over a new image.
     *
     * @param file where it is built; closed with the sink
     * @param compressed whether clusters are compressed
     * @param clears whether zeroes have to be told, because a backing file would show through
     */
    BuilderSink(HostFile file, ImageBuilder builder, CreateOptions options, boolean compressed, boolean clears) {
        this.file = file;
        this.builder = builder;
        this.options = options;
        this.compressed = compressed;
        this.clears = clears;
    }

    @Override
    public int unit() {
        return builder.clusterSize();
    }

    @Override
    public boolean tellsZeroes() {
        return options.version() > 2;
    }

    @Override
    public Sink.Writer writer(int most) {
        return new BuilderWriter(most);
    }

    @Override
    public void giveUp() {
        turns.giveUp();
    }

    @Override
    public void finish() throws IOException {
        builder.finish();
    }

    @Override
    public void close() throws IOException {
        file.close();
    }

    private final class BuilderWriter implements Sink.Writer {

        private final int clusterSize = builder.clusterSize();
        private final @Nullable Compressor compressor = compressed ? Compressor.of(options.compression()) : null;
        private final Extents placed = new Extents();
        private final NativeBuffer streams;
        private final int[] lengths; // of each cluster's stream; 0 where it has none

        BuilderWriter(int most) {
            this.lengths = new int[most / clusterSize];
            this.streams = NativeBuffer.allocate(compressed ? most : 1);
        }

        @Override
        public void write(Piece piece, long address, List<Segment> segments) throws IOException {
            int length = (int) piece.length();
            int clusters = (length + clusterSize - 1) / clusterSize;
            NativeBuffer.zero(address + length, (long) clusters * clusterSize - length);
            if (compressor != null) {
                compress(compressor, address, segments);
            }
            turns.await(piece.number());
            placed.clear();
            long stream = streams.address();
            for (Segment segment : segments) {
                long guest = piece.offset() + segment.start();
                if (!segment.zero()) {
                    stream = place(guest, segment, address, stream);
                } else if (clears) {
                    builder.placeZeroes(guest, segment.length());
                }
            }
            turns.pass();
            placed.writeTo(file);
        }

        /** Makes the streams of all that is not zero, behind each other. */
        private void compress(Compressor with, long address, List<Segment> segments) {
            long to = streams.address();
            for (Segment segment : segments) {
                for (int at = segment.start(); !segment.zero() && at < segment.end(); at += clusterSize) {
                    int length = with.compress(address + at, clusterSize, to);
                    lengths[at / clusterSize] = length;
                    to += length;
                }
            }
        }

        /** Places a segment; gives where the streams of the next one are. */
        private long place(long guest, Segment segment, long address, long streamsAt) throws IOException {
            long stream = streamsAt;
            int at = segment.start();
            while (at < segment.end()) {
                long cluster = guest + (at - segment.start());
                int length = compressor == null ? 0 : lengths[at / clusterSize];
                if (length > 0) {
                    placed.add(stream, builder.placeStream(cluster, length), length);
                    stream += length;
                    at += clusterSize;
                } else {
                    int run = plainRun(at, segment.end(), builder.clustersInTable(cluster));
                    placed.add(address + at, builder.placeData(cluster, run), run * clusterSize);
                    at += run * clusterSize;
                }
            }
            return stream;
        }

        /** How many clusters from there on are not compressed, at least the first. */
        private int plainRun(int start, int end, int most) {
            int run = 1;
            for (int at = start + clusterSize; at < end && run < most; at += clusterSize) {
                if (compressor != null && lengths[at / clusterSize] > 0) {
                    break;
                }
                run++;
            }
            return run;
        }

        @Override
        public void writeZeroes(Piece piece) throws IOException {
            turns.await(piece.number());
            builder.placeZeroes(piece.offset(), piece.length());
            turns.pass();
        }

        @Override
        public void close() {
            streams.close();
            if (compressor != null) {
                compressor.close();
            }
        }
    }
}
