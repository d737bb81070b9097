package io.qfuse.qcow2.data;

import io.qfuse.qcow2.parallel.Helpers;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** The compressed clusters of one request: gathered first, then decompressed by all threads that are at hand. */
final class CompressedRead {

    private final CompressedClusters clusters;
    private final List<Piece> pieces = new ArrayList<>();

    /**
     * What is wanted of one cluster.
     *
     * @param entry its raw L2 entry
     * @param from the first byte wanted, from the cluster's start
     * @param address where it goes
     * @param length how many bytes are wanted
     */
    private record Piece(long entry, int from, long address, int length) {}

    CompressedRead(CompressedClusters clusters) {
        this.clusters = clusters;
    }

    /** Adds a part of a cluster, or does it at once where that takes no time. */
    void add(long entry, int from, long address, int length) {
        if (!clusters.isWhole(length) || !clusters.readCached(entry, address)) {
            pieces.add(new Piece(entry, from, address, length));
        }
    }

    /** Fills all that was added; the caller holds the guest clusters until this returns or throws. */
    void run(Helpers helpers) throws IOException {
        helpers.share(pieces.size(), this::read);
    }

    private void read(int number) throws IOException {
        Piece piece = pieces.get(number);
        if (clusters.isWhole(piece.length)) {
            clusters.readWhole(piece.entry, piece.address);
        } else {
            clusters.readPart(piece.entry, piece.from, piece.address, piece.length);
        }
    }
}
