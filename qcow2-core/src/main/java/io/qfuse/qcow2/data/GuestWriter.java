package io.qfuse.qcow2.data;

import io.qfuse.qcow2.alloc.HostRun;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.format.Subclusters;
import io.qfuse.qcow2.map.EntrySpan;
import io.qfuse.qcow2.map.Mapping;
import io.qfuse.qcow2.map.Mapping.Kind;
import java.io.IOException;

/**
 * Writes guest bytes (format notes, section 16).
 *
 * <ol>
 *   <li>A cluster that belongs to the image alone is written in place under a shared hold: no metadata change.
 *   <li>So is one whose data are stored by whole sectors only, where the write has whole sectors; else it needs an
 *       exclusive hold.
 *   <li>Any other write allocates under an exclusive hold: the table is opened, clusters are allocated, their bytes
 *       written whole, and only then are they linked and the old ones given up.
 *   <li>What is not linked in the end is given back: a failed write leaves the map as it was.
 * </ol>
 *
 * <p>Thread-safe.
 */
public final class GuestWriter {

    private final ImageParts image;
    private final CopyOnWrite copyOnWrite;
    private final OldClusters old;

    /** A writer of one image. */
    public GuestWriter(ImageParts image, GuestReader reader) {
        this.image = image;
        this.copyOnWrite = new CopyOnWrite(image, reader);
        this.old = new OldClusters(image);
    }

    /** Writes a range that lies within the disk. */
    public void write(long guest, long address, int length) throws IOException {
        if (length == 0) {
            return;
        }
        int done = image.data().needsHold(guest, length) ? 0 : writeInPlace(guest, address, length);
        if (done < length) {
            long rest = guest + done;
            image.lockExclusive(rest, length - done);
            try {
                writeHeld(rest, address + done, length - done);
            } finally {
                image.unlockExclusive(rest, length - done);
            }
        }
    }

    /** Writes up to the first cluster that must be allocated and returns how many bytes that were. */
    private int writeInPlace(long guest, long address, int length) throws IOException {
        image.lockShared(guest, length);
        try {
            long stored = image.map().stored(guest, length, true);
            if (stored >= 0) {
                image.data().write(stored, guest, address, length);
                return length;
            }
            int done = 0;
            while (done < length) {
                Mapping run = image.map().lookup(guest + done, length - done);
                if (!isInPlaceData(run)) {
                    break;
                }
                image.data().write(run.host(), guest + done, address + done, (int) run.length());
                done += (int) run.length();
            }
            return done;
        } finally {
            image.unlockShared(guest, length);
        }
    }

    /** Writes a range whose clusters the caller holds exclusively. */
    void writeHeld(long guest, long address, int length) throws IOException {
        long at = guest;
        long end = guest + length;
        while (at < end) {
            Mapping run = image.map().lookup(at, end - at);
            long from = address + (at - guest);
            if (isInPlaceData(run)) {
                image.data().write(run.host(), at, from, (int) run.length());
                at += run.length();
            } else if (run.inPlace()) {
                at += writeReserved(run, at, from);
            } else {
                at += writeAllocating(run, at, from);
            }
        }
    }

    private static boolean isInPlaceData(Mapping run) {
        return run.kind() == Kind.DATA && run.inPlace();
    }

    /** Writes where host clusters are reserved but hold junk: around the data they are filled. */
    private int writeReserved(Mapping run, long guest, long address) throws IOException {
        Geometry geometry = image.geometry();
        int into = geometry.offsetInCluster(guest);
        try (EntrySpan span = image.map().open(guest, run.length())) {
            int length = (int) Math.min(run.length(), geometry.clusterOffset(span.clusters()) - into);
            copyOnWrite.fill(run.host(), guest, address, length, geometry.subclusterSize(), false);
            for (int i = 0; i < span.clusters(); i++) {
                span.set(i, span.descriptor(i), withData(span.bitmap(i), i, into, into + length));
            }
            return length;
        }
    }

    private int writeAllocating(Mapping run, long guest, long address) throws IOException {
        Geometry geometry = image.geometry();
        int into = geometry.offsetInCluster(guest);
        boolean empty = !run.hasHost();
        try (EntrySpan span = image.map().open(guest, run.length())) {
            HostRun host = image.clusters().allocate(guest, span.clusters());
            int length = (int) Math.min(run.length(), geometry.clusterOffset(host.clusters()) - into);
            try {
                int unit = empty ? geometry.subclusterSize() : geometry.clusterSize();
                copyOnWrite.fill(host.offset() + into, guest, address, length, unit, host.fresh());
            } catch (IOException e) {
                image.clusters().abandon(host);
                throw e;
            }
            for (int i = 0; i < host.clusters(); i++) {
                long descriptor = L2Entry.data(host.offset() + geometry.clusterOffset(i));
                long bitmap = empty
                        ? withData(span.bitmap(i), i, into, into + length)
                        : Subclusters.allocated(0, geometry.subclusters());
                old.replace(span, i, descriptor, bitmap, false);
            }
            return length;
        }
    }

    /**
     * The bitmap of a span's cluster after data were written.
     *
     * @param index the cluster's number in the span
     * @param from where the data begin, in bytes from the span's first cluster
     * @param to where they end
     */
    private long withData(long bitmap, int index, int from, int to) {
        Geometry geometry = image.geometry();
        long start = geometry.clusterOffset(index);
        int unit = geometry.subclusterSize();
        int first = (int) Math.max(0, from - start) / unit;
        int last = (int) (Math.min(geometry.clusterSize(), to - start) + unit - 1) / unit;
        return (bitmap & ~Subclusters.zero(first, last)) | Subclusters.allocated(first, last);
    }
}
