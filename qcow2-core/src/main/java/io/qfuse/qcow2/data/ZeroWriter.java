package io.qfuse.qcow2.data;

import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.map.EntrySpan;
import io.qfuse.qcow2.map.Mapping;
import io.qfuse.qcow2.map.Mapping.Kind;
import java.io.IOException;

/**
 * Makes ranges read as zeroes (format notes, section 17): by zero clusters where the format has them, by giving clusters
 * up where nothing shows through below, by written zeroes for the rest. Whatever the alignment, the whole range is zero
 * afterwards. Thread-safe.
 */
public final class ZeroWriter {

    /** The most clusters under one hold, so that a huge range does not stop all others. */
    private static final int MOST_HELD = 1 << 15;

    private final ImageParts image;
    private final GuestReader reader;
    private final GuestWriter writer;
    private final OldClusters old;
    private final Pressure pressure;

    /** A zero writer of one image. */
    public ZeroWriter(ImageParts image, GuestReader reader, GuestWriter writer, Pressure pressure) {
        this.image = image;
        this.reader = reader;
        this.writer = writer;
        this.old = new OldClusters(image);
        this.pressure = pressure;
    }

    /**
     * Makes a range zero that lies within the tables' reach.
     *
     * @param unmap whether host clusters may be given up
     */
    public void zero(long guest, long length, boolean unmap) throws IOException {
        Geometry geometry = image.geometry();
        long end = guest + length;
        for (long at = guest; at < end; ) {
            Mapping run = image.map().lookup(at, end - at);
            if (run.kind() == Kind.UNALLOCATED && reader.isKnownZero(run, at)) {
                // Whoever writes there at this moment may as well have come later: no hold, however long the run.
                at += run.length();
                continue;
            }
            pressure.relieve();
            long next = Math.min(end, geometry.clusterStart(at) + geometry.clusterOffset(MOST_HELD));
            image.lockExclusive(at, next - at);
            try {
                zeroHeld(at, next, unmap);
            } finally {
                image.unlockExclusive(at, next - at);
            }
            at = next;
        }
    }

    /** Makes a range zero whose clusters the caller holds exclusively. */
    void zeroHeld(long guest, long end, boolean unmap) throws IOException {
        Geometry geometry = image.geometry();
        long first = Math.min(geometry.clusterCeiling(guest), end);
        long last = Math.max(geometry.clusterStart(end), first);
        zeroPart(guest, first);
        zeroClusters(first, last, unmap);
        zeroPart(last, end);
    }

    /** Makes a part of a cluster zero; does nothing for an empty one. */
    private void zeroPart(long guest, long end) throws IOException {
        if (guest < end) {
            Mapping run = image.map().lookup(guest, end - guest);
            if (!reader.isKnownZero(run, guest)) {
                writeZeroes(guest, (int) (end - guest));
            }
        }
    }

    private void writeZeroes(long guest, int length) throws IOException {
        try (NativeBuffer zeroes = image.buffers().take(length)) {
            NativeBuffer.zero(zeroes.address(), length);
            writer.writeHeld(guest, zeroes.address(), length);
        }
    }

    private void zeroClusters(long first, long end, boolean unmap) throws IOException {
        long at = first;
        while (at < end) {
            Mapping run = image.map().lookup(at, end - at);
            if (isDone(run, at, unmap)) {
                at += run.length();
            } else if (image.hasZeroClusters() || !image.isBacked(at)) {
                at += changeEntries(at, run.length(), unmap);
            } else {
                writeZeroes(at, image.geometry().clusterSize());
                at += image.geometry().clusterSize();
            }
        }
    }

    private boolean isDone(Mapping run, long guest, boolean unmap) throws IOException {
        return switch (run.kind()) {
            case UNALLOCATED -> reader.isKnownZero(run, guest);
            case ZERO -> run.host() == 0 || (run.inPlace() && !unmap);
            case DATA, COMPRESSED -> false;
        };
    }

    private long changeEntries(long guest, long most, boolean unmap) throws IOException {
        Geometry geometry = image.geometry();
        try (EntrySpan span = image.map().open(guest, most)) {
            for (int i = 0; i < span.clusters(); i++) {
                long entry = span.get(i);
                if (!unmap && image.hasZeroClusters() && isReusable(entry)) {
                    span.set(i, entry | L2Entry.ZERO);
                } else {
                    old.replace(span, i, image.hasZeroClusters() ? L2Entry.ZERO : 0, unmap);
                }
            }
            return geometry.clusterOffset(span.clusters());
        }
    }

    private static boolean isReusable(long entry) {
        return L2Entry.isCopied(entry) && !L2Entry.isCompressed(entry) && L2Entry.hostOffset(entry) != 0;
    }

    /** Unlinks whole clusters behind the end of a disk that has shrunk; the caller holds everything. */
    void discardHeld(long first, long end) throws IOException {
        long at = first;
        while (at < end) {
            Mapping run = image.map().lookup(at, end - at);
            if (run.kind() == Kind.UNALLOCATED) {
                at += run.length();
                continue;
            }
            try (EntrySpan span = image.map().open(at, run.length())) {
                for (int i = 0; i < span.clusters(); i++) {
                    old.replace(span, i, 0, true);
                }
                at += image.geometry().clusterOffset(span.clusters());
            }
        }
    }
}
