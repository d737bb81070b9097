package io.qfuse.qcow2.data;

import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Subclusters;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.map.EntrySpan;
import io.qfuse.qcow2.map.Mapping;
import io.qfuse.qcow2.map.Mapping.Kind;
import java.io.IOException;
import java.util.function.LongSupplier;

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
        zero(guest, length, unmap, () -> Long.MAX_VALUE);
    }

    /**
     * Makes a range zero; where it ends with the disk, as far as its last cluster goes.
     *
     * @param unmap whether host clusters may be given up
     * @param size the disk's size at the moment, asked under the hold of its last cluster: nobody sees the rest of it
     */
    public void zero(long guest, long length, boolean unmap, LongSupplier size) throws IOException {
        Geometry geometry = image.geometry();
        long end = guest + length;
        for (long at = guest; at < end; ) {
            long empty = reader.emptyRun(at, end - at);
            if (empty > 0) {
                // Whoever writes there at this moment may as well have come later: no hold, however long the run.
                at += empty;
                continue;
            }
            pressure.relieve();
            long next = Math.min(end, geometry.clusterStart(at) + geometry.clusterOffset(MOST_HELD));
            image.lockExclusive(at, next - at);
            try {
                long last = next == size.getAsLong() ? geometry.clusterCeiling(next) : next;
                zeroHeld(at, last, unmap && image.clusters().unmaps());
            } finally {
                image.unlockExclusive(at, next - at);
            }
            at = next;
        }
    }

    /** Makes a range zero whose clusters the caller holds exclusively. */
    private void zeroHeld(long guest, long end, boolean unmap) throws IOException {
        Geometry geometry = image.geometry();
        long first = Math.min(geometry.subclusterCeiling(guest), end);
        long last = Math.max(geometry.subclusterStart(end), first);
        zeroPart(guest, first);
        zeroClusters(first, last, unmap);
        zeroPart(last, end);
    }

    /** Makes a part of a subcluster zero; does nothing for an empty one. */
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

    /** Makes whole subclusters zero. */
    private void zeroClusters(long first, long end, boolean unmap) throws IOException {
        Geometry geometry = image.geometry();
        long at = first;
        while (at < end) {
            Mapping run = image.map().lookup(at, end - at);
            long rest = Math.min(end, geometry.clusterCeiling(at + 1)) - at;
            boolean whole = rest == geometry.clusterSize();
            if ((!whole || run.length() >= rest) && isDone(run, at, unmap && whole)) {
                at += Math.min(run.length(), whole ? geometry.clusterStart(end) - at : rest);
            } else if (whole && canChangeEntries(at)) {
                at += changeEntries(at, geometry.clusterStart(end) - at, run, unmap);
            } else if (!whole && run.kind() != Kind.COMPRESSED) {
                at += changeSubclusters(at, (int) rest, unmap);
            } else {
                writeZeroes(at, (int) rest);
                at += rest;
            }
        }
    }

    private boolean canChangeEntries(long guest) {
        return image.hasZeroClusters() || !image.isBacked(guest);
    }

    private boolean isDone(Mapping run, long guest, boolean unmap) throws IOException {
        return switch (run.kind()) {
            case UNALLOCATED -> !run.hasHost() && reader.isKnownZero(run, guest);
            case ZERO -> !run.hasHost() || (run.inPlace() && !unmap);
            case DATA, COMPRESSED -> false;
        };
    }

    private long changeEntries(long guest, long most, Mapping run, boolean unmap) throws IOException {
        Geometry geometry = image.geometry();
        long reach = Math.max(geometry.clusterSize(), geometry.clusterStart(Math.min(most, run.length())));
        long zero = image.hasZeroClusters() ? Subclusters.zero(0, geometry.subclusters()) : 0;
        try (EntrySpan span = image.map().open(guest, reach)) {
            image.clusters().zero(guest, geometry.clusterOffset(span.clusters()), unmap);
            for (int i = 0; i < span.clusters(); i++) {
                if (!unmap && image.hasZeroClusters() && span.isOwn(i)) {
                    span.set(i, span.descriptor(i), zero);
                } else {
                    old.replace(span, i, 0, zero, unmap);
                }
            }
            return geometry.clusterOffset(span.clusters());
        }
    }

    /** Marks subclusters of one cluster zero; its host cluster stays for the others. */
    private long changeSubclusters(long guest, int length, boolean unmap) throws IOException {
        Geometry geometry = image.geometry();
        int first = geometry.offsetInCluster(guest) / geometry.subclusterSize();
        int last = first + length / geometry.subclusterSize();
        try (EntrySpan span = image.map().open(guest, length)) {
            image.clusters().zero(guest, length, unmap);
            long others = span.bitmap(0) & ~Subclusters.allocated(first, last);
            span.set(0, span.descriptor(0), others | Subclusters.zero(first, last));
        }
        return length;
    }

    /**
     * Gives up whole clusters behind the end of a disk that has shrunk. What a write that came too late leaves there does no
     * harm: a disk that grows again is made zero first.
     */
    void discard(long first, long end) throws IOException {
        for (long at = first; at < end; ) {
            pressure.relieve();
            long from = at;
            long next = Math.min(end, from + image.geometry().clusterOffset(MOST_HELD));
            image.lockExclusive(from, next - from);
            try {
                at = discardHeld(from, next, end);
            } finally {
                image.unlockExclusive(from, next - from);
            }
        }
    }

    /** Gives up the clusters up to {@code held}, and passes by what is empty however far it goes. */
    private long discardHeld(long first, long held, long end) throws IOException {
        Geometry geometry = image.geometry();
        boolean unmap = image.clusters().unmaps();
        long at = first;
        while (at < held) {
            Mapping run = image.map().lookup(at, end - at);
            if (run.kind() == Kind.UNALLOCATED && !run.hasHost() && run.length() >= geometry.clusterSize()) {
                at += geometry.clusterStart(run.length());
                continue;
            }
            long whole = Math.max(geometry.clusterSize(), geometry.clusterStart(Math.min(run.length(), held - at)));
            try (EntrySpan span = image.map().open(at, whole)) {
                image.clusters().zero(at, geometry.clusterOffset(span.clusters()), unmap);
                for (int i = 0; i < span.clusters(); i++) {
                    old.replace(span, i, 0, 0, unmap);
                }
                at += geometry.clusterOffset(span.clusters());
            }
        }
        return at;
    }
}
