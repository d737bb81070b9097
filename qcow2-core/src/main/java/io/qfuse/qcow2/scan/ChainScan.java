package io.qfuse.qcow2.scan;

import java.io.IOException;
import java.util.List;

/**
 * Walks all layers of a chain at once, each in ascending order: what a layer leaves open is told by the next, and behind the end
 * of that by nobody. Adjacent runs that differ in nothing are told as one.
 */
public final class ChainScan {

    private final Runs[] layers;
    private final RunVisitor visitor;

    // The run that may still grow.
    private long start;
    private long length;
    private int depth;
    private int flags;
    private long host;

    private ChainScan(List<? extends Runs> layers, RunVisitor visitor) {
        this.layers = layers.toArray(Runs[]::new);
        this.visitor = visitor;
    }

    /**
     * Visits the runs of a range within the size of the first layer.
     *
     * @param layers the image itself, then what is below it
     */
    public static void walk(List<? extends Runs> layers, long from, long to, RunVisitor visitor) throws IOException {
        new ChainScan(layers, visitor).walk(from, to);
    }

    private void walk(long from, long to) throws IOException {
        for (Runs layer : layers) {
            layer.goTo(to);
        }
        long at = from;
        while (at < to) {
            at = next(at, to);
        }
        if (length > 0) {
            visitor.run(start, length, depth, flags, host);
        }
    }

    /** Takes the run at an offset, and returns where it ends. */
    private long next(long at, long to) throws IOException {
        long end = to;
        for (int i = 0; ; i++) {
            Runs layer = layers[i];
            layer.seek(at);
            end = Math.min(end, layer.end);
            long place = layer.host == RunVisitor.NOWHERE ? RunVisitor.NOWHERE : layer.host + at - layer.start;
            if (layer.flags != 0) {
                take(at, end, i, layer.flags, place);
                return end;
            }
            if (i + 1 == layers.length || at >= layers[i + 1].size()) {
                take(at, end, i, RunVisitor.ZERO, place);
                return end;
            }
            end = Math.min(end, layers[i + 1].size());
        }
    }

    private void take(long at, long end, int layer, int what, long place) throws IOException {
        boolean adjoins =
                place == RunVisitor.NOWHERE ? host == place : host != RunVisitor.NOWHERE && host + length == place;
        if (length > 0 && what == flags && layer == depth && adjoins) {
            length += end - at;
            return;
        }
        if (length > 0) {
            visitor.run(start, length, depth, flags, host);
        }
        start = at;
        length = end - at;
        depth = layer;
        flags = what;
        host = place;
    }
}
