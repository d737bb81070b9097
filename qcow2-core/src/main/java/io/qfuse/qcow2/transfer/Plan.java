package io.qfuse.qcow2.transfer;

import io.qfuse.qcow2.Extent;
import io.qfuse.qcow2.Layer;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Cuts a disk into pieces by what its map says: what needs nothing to be done is in none. Thread-safe; pieces come in the order of
 * the disk.
 */
final class Plan {

    /**
     * What is to be done with a range of the disk.
     *
     * <ul>
     *   <li>{@code SKIP}: the target reads as it already.
     *   <li>{@code ZERO}: the target is told that it is zeroes.
     *   <li>{@code COPY}: its bytes are read and written.
     * </ul>
     */
    enum Action {
        SKIP,
        ZERO,
        COPY
    }

    /** What is to be done with what the map calls so. */
    interface Rule {
        Action of(Extent.Kind kind);
    }

    private record Run(Action action, long end) {}

    private final Layer map;
    private final Rule rule;
    private final long size;
    private final int unit;
    private final int most;
    private final Progress progress;
    private @Nullable Extent known;
    private long at;
    private long number;

    /**
     * A plan for a whole disk.
     *
     * @param map tells what is where
     * @param rule what to do with it
     * @param unit bytes of what the target stores as one; pieces begin at multiples
     * @param most the most bytes of a piece that is copied, a multiple of {@code unit}
     * @param progress is told of what is skipped
     */
    Plan(Layer map, Rule rule, int unit, int most, Progress progress) {
        this.map = map;
        this.rule = rule;
        this.size = map.size();
        this.unit = unit;
        this.most = most;
        this.progress = progress;
    }

    /** The next piece, or null when none is left. */
    synchronized @Nullable Piece next() throws IOException {
        while (at < size) {
            Run run = runFrom(at);
            long whole = run.end < size ? floor(run.end) : size;
            if (run.action == Action.COPY || whole <= at) {
                return piece(copiedUpTo(ceiling(run.end)), false);
            }
            if (run.action == Action.ZERO) {
                return piece(whole, true);
            }
            progress.advance(whole - at);
            at = whole;
        }
        return null;
    }

    private Piece piece(long end, boolean zero) {
        Piece piece = new Piece(number++, at, end - at, zero);
        at = end;
        return piece;
    }

    /** Where a piece ends that is copied up to a border at least: what follows goes along as far as there is room. */
    private long copiedUpTo(long border) throws IOException {
        long last = Math.min(size, at + most);
        long end = Math.min(border, last);
        while (end < last) {
            Run run = runFrom(end);
            if (run.action != Action.COPY && (run.end >= end + unit || run.end == size)) {
                break;
            }
            end = Math.min(last, run.action == Action.COPY ? ceiling(run.end) : end + unit);
        }
        return end;
    }

    /** The longest run with one thing to do; of what is copied only as much as a piece can have. */
    private Run runFrom(long start) throws IOException {
        Extent extent = extentAt(start);
        Action action = rule.of(extent.kind());
        long end = extent.end();
        while (end < size && (action != Action.COPY || end < start + most)) {
            Extent next = extentAt(end);
            if (rule.of(next.kind()) != action) {
                break;
            }
            end = next.end();
        }
        return new Run(action, Math.min(end, size));
    }

    /** What the map says, asked once an extent: a file system may look at every page up to the extent's end to answer. */
    private Extent extentAt(long offset) throws IOException {
        Extent extent = known;
        if (extent == null || offset < extent.offset() || offset >= extent.end()) {
            extent = map.nextExtent(offset);
            known = extent;
        }
        return extent;
    }

    private long floor(long offset) {
        return offset - offset % unit;
    }

    private long ceiling(long offset) {
        return Math.min(size, floor(offset + unit - 1));
    }
}
