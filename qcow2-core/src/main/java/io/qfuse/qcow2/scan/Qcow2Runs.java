package io.qfuse.qcow2.scan;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.format.Subclusters;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A qcow2 image by its active tables (format notes, sections 4 to 6). A run ends with its L2 table at the latest. */
public final class Qcow2Runs extends Runs {

    private final HostFile file;
    private final @Nullable HostFile data;
    private final Geometry geometry;
    private final TableWindow window;
    private final long size;
    private final boolean external;
    private final boolean readable; // as it lies in the file
    private final boolean sparse;

    /**
     * The runs of an image, whose files are closed with them.
     *
     * @param data the external data file, or null
     * @param windowBytes the most memory to take for L2 tables, if it holds one
     */
    public Qcow2Runs(HostFile file, @Nullable HostFile data, Header header, int windowBytes) throws IOException {
        this.sparse = SparseClusters.areIn(file, header);
        this.file = file;
        this.data = data;
        this.geometry = header.geometry();
        this.window = new TableWindow(file, header, windowBytes);
        this.size = header.size() & -Geometry.SECTOR;
        this.external = header.hasExternalData();
        this.readable = header.cryptMethod() == 0;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public Path file() {
        return data == null ? file.path() : data.path();
    }

    @Override
    void goTo(long to) {
        window.endAt(geometry.l1SizeFor(Math.min(to, size)));
    }

    @Override
    void find(long at) throws IOException {
        int l1Index = geometry.l1Index(at);
        if (window.l2Offset(l1Index) == 0) {
            set(at, Math.min(size, window.nextTable(l1Index) * geometry.l2Reach()), 0, RunVisitor.NOWHERE);
        } else if (geometry.extendedL2()) {
            subclusters(at, window.table(l1Index));
        } else {
            clusters(at, window.table(l1Index));
        }
        if (sparse && (flags & RunVisitor.DATA) != 0 && host != RunVisitor.NOWHERE) {
            lookForHoles();
        }
    }

    /** Ends the run where a hole of the file begins or ends, and says of one that it reads as zeroes. */
    private void lookForHoles() throws IOException {
        HostFile where = data == null ? file : data;
        long stored = where.seekData(host);
        if (stored == host) {
            end = Math.min(end, start + Math.max(1, where.seekHole(host) - host));
        } else {
            flags |= RunVisitor.ZERO;
            end = stored < 0 ? end : Math.min(end, start + stored - host);
        }
    }

    private void clusters(long at, long table) throws IOException {
        int first = geometry.l2Index(at);
        long address = table + (long) first * Long.BYTES;
        long stop = table + geometry.clusterSize();
        long entry = Long.reverseBytes(NativeBuffer.getLong(address));
        if (L2Entry.isCompressed(entry)) {
            requireCompressible(at, entry);
            long end = address + Long.BYTES;
            while (end < stop && L2Entry.isCompressed(Long.reverseBytes(NativeBuffer.getLong(end)))) {
                end += Long.BYTES;
            }
            found(at, end - address, RunVisitor.DATA | RunVisitor.COMPRESSED | RunVisitor.PRESENT, RunVisitor.NOWHERE);
            return;
        }
        long offset = L2Entry.hostOffset(entry);
        requireAligned(at, entry, offset);
        boolean hosted = hasHost(entry);
        boolean zero = L2Entry.isZero(entry);
        long mask = external ? -1 : ~L2Entry.COPIED;
        long step = hosted ? geometry.clusterSize() : 0;
        long due = (entry & mask) + step;
        long end = address + Long.BYTES;
        while (end < stop && (Long.reverseBytes(NativeBuffer.getLong(end)) & mask) == due) {
            due += step;
            end += Long.BYTES;
        }
        int what = zero ? RunVisitor.ZERO | RunVisitor.PRESENT : hosted ? RunVisitor.DATA | RunVisitor.PRESENT : 0;
        found(at, end - address, what, hosted ? offset + geometry.offsetInCluster(at) : RunVisitor.NOWHERE);
    }

    /** A run of whole clusters but for where it starts. */
    private void found(long at, long entryBytes, int what, long place) {
        long end = geometry.clusterStart(at) + geometry.clusterOffset(entryBytes / Long.BYTES);
        set(at, Math.min(end, size), what, readable ? place : RunVisitor.NOWHERE);
    }

    private void subclusters(long at, long table) throws IOException {
        long address = table + (long) geometry.l2Index(at) * geometry.l2EntrySize();
        long entry = Long.reverseBytes(NativeBuffer.getLong(address));
        long bitmap = Long.reverseBytes(NativeBuffer.getLong(address + Long.BYTES));
        long cluster = geometry.clusterStart(at);
        if (L2Entry.isCompressed(entry)) {
            requireCompressible(at, entry);
            found(at, Long.BYTES, RunVisitor.DATA | RunVisitor.COMPRESSED | RunVisitor.PRESENT, RunVisitor.NOWHERE);
            return;
        }
        long offset = L2Entry.hostOffset(entry);
        requireAligned(at, entry, offset);
        boolean hosted = hasHost(entry);
        if (Subclusters.contradicts(bitmap) || (!hosted && Subclusters.anyAllocated(bitmap))) {
            throw bad(at, entry, "has an impossible subcluster bitmap, 0x" + Long.toHexString(bitmap));
        }
        int first = geometry.offsetInCluster(at) / geometry.subclusterSize();
        int alike = Subclusters.alike(bitmap, first, Subclusters.COUNT);
        long end = Math.min(size, cluster + (long) (first + alike) * geometry.subclusterSize());
        int what = Subclusters.isZero(bitmap, first)
                ? RunVisitor.ZERO | RunVisitor.PRESENT
                : Subclusters.isAllocated(bitmap, first) ? RunVisitor.DATA | RunVisitor.PRESENT : 0;
        set(at, end, what, hosted && readable ? offset + at - cluster : RunVisitor.NOWHERE);
    }

    private boolean hasHost(long entry) {
        return L2Entry.hostOffset(entry) != 0 || (external && L2Entry.isCopied(entry));
    }

    private void requireCompressible(long at, long entry) throws Qcow2Exception {
        if (external) {
            throw bad(at, entry, "is compressed, but guest data are in an external data file");
        }
    }

    private void requireAligned(long at, long entry, long offset) throws Qcow2Exception {
        if (geometry.offsetInCluster(offset) != 0) {
            throw bad(at, entry, "is unaligned");
        }
    }

    private Qcow2Exception bad(long at, long entry, String why) {
        return new Qcow2Exception(
                Kind.CORRUPT,
                file.path(),
                "the L2 entry 0x" + Long.toHexString(entry) + " of guest offset 0x" + Long.toHexString(at) + " " + why);
    }

    @Override
    public void close() throws IOException {
        try (file;
                data) {
            window.close();
        }
    }
}
