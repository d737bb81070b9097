package io.qfuse.qcow2.data;

import io.qfuse.qcow2.alloc.HostRun;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.map.EntrySpan;
import io.qfuse.qcow2.map.Mapping;
import io.qfuse.qcow2.map.Mapping.Kind;
import java.io.IOException;

/**
 * Writes guest bytes (format notes, section 16).
 *
 * <ol>
 *   <li>A cluster that belongs to the image alone is written in place under a shared hold: no metadata change.
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
        int done = writeInPlace(guest, address, length);
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
            int done = 0;
            while (done < length) {
                Mapping run = image.map().lookup(guest + done, length - done);
                if (!isInPlaceData(run)) {
                    break;
                }
                image.file().write(run.host(), address + done, (int) run.length());
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
                image.file().write(run.host(), from, (int) run.length());
                at += run.length();
            } else if (run.kind() == Kind.ZERO && run.inPlace()) {
                at += writeReserved(run, at, from);
            } else {
                at += writeAllocating(at, from, (int) run.length());
            }
        }
    }

    private static boolean isInPlaceData(Mapping run) {
        return run.kind() == Kind.DATA && run.inPlace();
    }

    /** Writes clusters that are reserved but say zero: their host clusters are used, junk around the data is cleared. */
    private int writeReserved(Mapping run, long guest, long address) throws IOException {
        Geometry geometry = image.geometry();
        try (EntrySpan span = image.map().open(guest, run.length())) {
            int into = geometry.offsetInCluster(guest);
            long reach = geometry.clusterOffset(span.clusters()) - into;
            int length = (int) Math.min(run.length(), reach);
            HostRun host = new HostRun(run.host() - into, clusters(into, length), false);
            copyOnWrite.fill(host, guest, address, length);
            for (int i = 0; i < host.clusters(); i++) {
                span.set(i, entry(host, i));
            }
            return length;
        }
    }

    private int writeAllocating(long guest, long address, int most) throws IOException {
        Geometry geometry = image.geometry();
        int into = geometry.offsetInCluster(guest);
        try (EntrySpan span = image.map().open(guest, most)) {
            HostRun host = image.allocator().allocate(Math.min(span.clusters(), clusters(into, most)));
            int length = (int) Math.min(most, geometry.clusterOffset(host.clusters()) - into);
            try {
                copyOnWrite.fill(host, guest, address, length);
            } catch (IOException e) {
                image.allocator().abandon(host);
                throw e;
            }
            for (int i = 0; i < host.clusters(); i++) {
                old.replace(span, i, entry(host, i), false);
            }
            return length;
        }
    }

    private long entry(HostRun host, int index) {
        return L2Entry.data(host.offset() + image.geometry().clusterOffset(index));
    }

    private int clusters(int into, int length) {
        return Math.toIntExact(image.geometry().clustersFor((long) into + length));
    }
}
