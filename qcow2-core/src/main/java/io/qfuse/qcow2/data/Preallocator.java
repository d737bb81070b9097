package io.qfuse.qcow2.data;

import io.qfuse.qcow2.alloc.HostRun;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.format.Subclusters;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.map.EntrySpan;
import io.qfuse.qcow2.map.Mapping;
import java.io.IOException;

/**
 * Gives guest ranges host clusters of their own without changing what they read as: zeroes become reserved zero clusters,
 * everything else is copied. Thread-safe.
 */
public final class Preallocator {

    private static final int MOST_HELD = 4 << 20;

    private final ImageParts image;
    private final GuestReader reader;
    private final GuestWriter writer;
    private final OldClusters old;
    private final Pressure pressure;

    /** A preallocator of one image. */
    public Preallocator(ImageParts image, GuestReader reader, GuestWriter writer, Pressure pressure) {
        this.image = image;
        this.reader = reader;
        this.writer = writer;
        this.old = new OldClusters(image);
        this.pressure = pressure;
    }

    /** Allocates all clusters that a range touches, none of them behind {@code size}. */
    public void allocate(long guest, long length, long size) throws IOException {
        Geometry geometry = image.geometry();
        long end = Math.min(geometry.clusterCeiling(guest + length), geometry.clusterCeiling(size));
        for (long at = geometry.clusterStart(guest); at < end; ) {
            pressure.relieve();
            long next = Math.min(end, at + MOST_HELD);
            image.lockExclusive(at, next - at);
            try {
                allocateHeld(at, next, size);
            } finally {
                image.unlockExclusive(at, next - at);
            }
            at = next;
        }
    }

    private void allocateHeld(long first, long end, long size) throws IOException {
        Geometry geometry = image.geometry();
        long at = first;
        while (at < end) {
            Mapping run = image.map().lookup(at, end - at);
            long whole = geometry.clusterStart(run.length());
            if (run.inPlace()) {
                image.data().allocate(run.host(), run.length());
                at += run.length();
            } else if (image.hasZeroClusters() && whole > 0 && isEmptyZero(run, at)) {
                at += reserve(at, whole);
            } else {
                at += copy(at, size);
            }
        }
    }

    /** Whether a run that starts with its cluster needs no copy: it reads as zeroes and nothing else is stored there. */
    private boolean isEmptyZero(Mapping run, long guest) throws IOException {
        return image.geometry().offsetInCluster(guest) == 0 && reader.isKnownZero(run, guest);
    }

    private long reserve(long guest, long length) throws IOException {
        Geometry geometry = image.geometry();
        try (EntrySpan span = image.map().open(guest, length)) {
            HostRun host = image.clusters().allocate(guest, span.clusters());
            long bytes = geometry.clusterOffset(host.clusters());
            try {
                image.data().allocate(host.offset(), bytes);
            } catch (IOException e) {
                image.clusters().abandon(host);
                throw e;
            }
            for (int i = 0; i < host.clusters(); i++) {
                long descriptor = L2Entry.data(host.offset() + geometry.clusterOffset(i));
                old.replace(span, i, descriptor, Subclusters.zero(0, geometry.subclusters()), false);
            }
            return bytes;
        }
    }

    /** Writes the rest of a cluster over itself, which allocates it. */
    private long copy(long guest, long size) throws IOException {
        long end = image.geometry().clusterCeiling(guest + 1);
        int length = (int) (Math.min(end, size) - guest);
        try (NativeBuffer buffer = image.buffers().take(length)) {
            reader.readHeld(guest, buffer.address(), length);
            writer.writeHeld(guest, buffer.address(), length);
        }
        return end - guest;
    }
}
