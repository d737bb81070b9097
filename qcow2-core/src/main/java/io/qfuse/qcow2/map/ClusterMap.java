package io.qfuse.qcow2.map;

import io.qfuse.cache.CapturedSlice;
import io.qfuse.cache.Slice;
import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.alloc.ClusterAllocator;
import io.qfuse.qcow2.alloc.HostRun;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.format.Subclusters;
import io.qfuse.qcow2.guard.Health;
import io.qfuse.qcow2.guard.MetadataClusters;
import io.qfuse.qcow2.guard.MetadataRole;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.map.Mapping.Kind;
import io.qfuse.qcow2.table.Rank;
import io.qfuse.qcow2.table.Tables;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The active L1 table and the L2 tables under it: from guest offsets to host offsets (format notes, section 4).
 *
 * <ol>
 *   <li>An L2 table is written only while its L1 entry says COPIED: nobody else refers to it.
 *   <li>When the L1 table names a new L2 table, the file holds that table whole: what a checkpoint has not captured of
 *       it are zeroes, or what was copied.
 *   <li>Entries of a guest cluster change only under an exclusive hold of it; they are read under any hold.
 * </ol>
 *
 * <p>Thread-safe under these rules.
 */
public final class ClusterMap {

    private final HostFile file;
    private final Tables tables;
    private final Geometry geometry;
    private final EntryLayout layout;
    private final ClusterAllocator allocator;
    private final Health health;
    private final MetadataClusters metadata;

    /** Protects changes of L1 entries and of {@link #l1}; readers need neither. */
    private final ReentrantLock l1Lock = new ReentrantLock();

    private volatile L1Location l1;

    /** The map that the header names. */
    public ClusterMap(
            HostFile file,
            Tables tables,
            ClusterAllocator allocator,
            Health health,
            MetadataClusters metadata,
            Header header) {
        this.file = file;
        this.tables = tables;
        this.geometry = header.geometry();
        this.layout = new EntryLayout(geometry, header.hasExternalData());
        this.allocator = allocator;
        this.health = health;
        this.metadata = metadata;
        this.l1 = new L1Location(header.l1Offset(), header.l1Size());
    }

    /**
     * The run of one kind that starts at {@code guest}, at most {@code most} bytes long and at least one. The caller holds
     * the cluster of {@code guest}: an entry that changes while it is read looks like a damaged one.
     */
    public Mapping lookup(long guest, long most) throws IOException {
        long entry = l1Entry(geometry.l1Index(guest));
        if (L1Entry.l2Offset(entry) == 0) {
            return new Mapping(Kind.UNALLOCATED, false, Mapping.NONE, withoutTable(guest, most));
        }
        long at = entryAt(l2Table(guest, entry), guest);
        Slice slice = tables.slice(at, Rank.L2);
        return run(guest, most, slice, tables.within(at), L1Entry.isCopied(entry));
    }

    /**
     * The host offset of a range where it is stored within one subcluster, as most requests are: found without making an
     * object. The caller holds the cluster of {@code guest}.
     *
     * @param owned whether the host cluster must belong to this image alone
     * @return -1 where it is anything else, which {@link #lookup} tells
     */
    public long stored(long guest, int length, boolean owned) throws IOException {
        long l1Entry = l1Entry(geometry.l1Index(guest));
        if (L1Entry.l2Offset(l1Entry) == 0) {
            return -1;
        }
        long at = entryAt(l2Table(guest, l1Entry), guest);
        Slice slice = tables.slice(at, Rank.L2);
        long descriptor = layout.descriptor(slice, tables.within(at));
        long bitmap = layout.bitmap(slice, tables.within(at));
        int into = geometry.offsetInCluster(guest);
        int subcluster = into / geometry.subclusterSize();
        boolean data = !L2Entry.isCompressed(descriptor) && kind(bitmap, subcluster) == Kind.DATA;
        boolean inside = (into + length - 1) / geometry.subclusterSize() == subcluster;
        boolean ours = !owned || (L2Entry.isCopied(descriptor) && L1Entry.isCopied(l1Entry));
        if (!data || !inside || !ours || Subclusters.contradicts(bitmap)) {
            return -1;
        }
        long host = hostOffset(guest, descriptor);
        return layout.hasHost(descriptor) ? host + into : -1;
    }

    /**
     * How far the L1 table has no L2 table from {@code guest} on; looks at one slice of the L1 table, which is taken once: one that
     * the cache does not keep is not read again for each entry.
     */
    private long withoutTable(long guest, long most) throws IOException {
        L1Location table = l1;
        long reach = geometry.l2Reach();
        int index = geometry.l1Index(guest);
        long first = reach - (guest & (reach - 1));
        long length = first;
        if (index + 1 < table.entries()) {
            long at = table.offset() + (long) index * Tables.ENTRY;
            Slice slice = tables.slice(at, Rank.L1);
            int next = tables.within(at) + Tables.ENTRY;
            long end = tables.within(at) + (long) (table.entries() - index) * Tables.ENTRY;
            for (; next < Math.min(end, tables.sliceSize()) && length < most; next += Tables.ENTRY) {
                if (L1Entry.l2Offset(slice.getLong(next)) != 0) {
                    break;
                }
                length += reach;
            }
        }
        // Where the table has moved meanwhile, its old place may have said less.
        length = table.equals(l1) ? length : first;
        return Math.min(length, most);
    }

    /**
     * The run that starts in the entry at {@code within}. Only this entry's cluster is held: of those that follow, what
     * looks wrong may be about to change, and just ends the run.
     */
    private Mapping run(long guest, long most, Slice slice, int within, boolean tableCopied) throws IOException {
        long descriptor = layout.descriptor(slice, within);
        long bitmap = layout.bitmap(slice, within);
        int into = geometry.offsetInCluster(guest);
        if (L2Entry.isCompressed(descriptor)) {
            requireCompressible(guest);
            long rest = (long) geometry.clusterSize() - into;
            return new Mapping(Kind.COMPRESSED, false, descriptor, Math.min(rest, most));
        }
        long host = hostOffset(guest, descriptor);
        boolean hasHost = layout.hasHost(descriptor);
        requireSound(guest, hasHost, bitmap);
        int count = geometry.subclusters();
        int first = into / geometry.subclusterSize();
        int alike = Subclusters.alike(bitmap, first, count);
        long length = (long) (first + alike) * geometry.subclusterSize() - into;
        int at = within;
        long next = host;
        while (length < most && first + alike == count && (at += layout.size()) < tables.sliceSize()) {
            next += hasHost ? geometry.clusterSize() : 0;
            long following = layout.bitmap(slice, at);
            if (!continues(descriptor, layout.descriptor(slice, at), next) || !alike(bitmap, first, following)) {
                break;
            }
            first = 0;
            bitmap = following;
            alike = Subclusters.alike(bitmap, 0, count);
            length += (long) alike * geometry.subclusterSize();
        }
        boolean inPlace = hasHost && L2Entry.isCopied(descriptor) && tableCopied;
        Kind kind = kind(layout.bitmap(slice, within), into / geometry.subclusterSize());
        return new Mapping(kind, inPlace, hasHost ? host + into : Mapping.NONE, Math.min(length, most));
    }

    /** Whether {@code following} has the flags of {@code first} and lies at {@code host}. */
    private static boolean continues(long first, long following, long host) {
        long flags = ~L2Entry.OFFSET_MASK;
        return (first & flags) == (following & flags) && L2Entry.hostOffset(following) == host;
    }

    private static boolean alike(long bitmap, int subcluster, long following) {
        return kind(bitmap, subcluster) == kind(following, 0) && !Subclusters.contradicts(following);
    }

    private static Kind kind(long bitmap, int subcluster) {
        if (Subclusters.isZero(bitmap, subcluster)) {
            return Kind.ZERO;
        }
        return Subclusters.isAllocated(bitmap, subcluster) ? Kind.DATA : Kind.UNALLOCATED;
    }

    private void requireSound(long guest, boolean hasHost, long bitmap) throws IOException {
        if (Subclusters.contradicts(bitmap) || (!hasHost && Subclusters.anyAllocated(bitmap))) {
            throw badL2Entry(guest, "has an impossible subcluster bitmap, " + hex(bitmap));
        }
    }

    private long hostOffset(long guest, long entry) throws IOException {
        long host = L2Entry.hostOffset(entry);
        if (geometry.offsetInCluster(host) != 0) {
            throw badL2Entry(guest, "is unaligned");
        }
        if (layout.hasHost(entry) && !layout.isPlace(host, geometry.clusterStart(guest))) {
            throw badL2Entry(guest, "names another offset of the external data file");
        }
        return host;
    }

    private void requireCompressible(long guest) throws IOException {
        if (!layout.allowsCompressed()) {
            throw badL2Entry(guest, "is compressed, but guest data are in an external data file");
        }
    }

    private Qcow2Exception badL1Entry(long guest, String why, long entry) {
        return badEntry(
                "entry " + geometry.l1Index(guest) + " of the L1 table at " + hex(l1.offset()), guest, why, entry);
    }

    /** The entry is told as it is stored. */
    private Qcow2Exception badL2Entry(long guest, String why) throws IOException {
        long table = L1Entry.l2Offset(l1Entry(geometry.l1Index(guest)));
        String what = "entry " + geometry.l2Index(guest) + " of the L2 table at " + hex(table);
        return badEntry(what, guest, why, tables.get(entryAt(table, guest), Rank.L2));
    }

    private Qcow2Exception badEntry(String what, long guest, String why, long entry) {
        return health.corrupt(what + " " + why + ": " + hex(entry) + " (guest offset " + hex(guest) + ")");
    }

    private static String hex(long value) {
        return "0x" + Long.toHexString(value);
    }

    private long l1Entry(int index) throws IOException {
        for (; ; ) {
            L1Location table = l1;
            long entry =
                    index < table.entries() ? tables.get(table.offset() + (long) index * Tables.ENTRY, Rank.L1) : 0;
            if (table.equals(l1)) {
                return entry;
            }
            // The table has moved meanwhile, and its changed slices were dropped: the old place may have said less.
        }
    }

    private long l2Table(long guest, long l1Entry) throws IOException {
        long table = L1Entry.l2Offset(l1Entry);
        if (geometry.offsetInCluster(table) != 0) {
            throw badL1Entry(guest, "is unaligned", l1Entry);
        }
        return table;
    }

    private long entryAt(long l2Table, long guest) {
        return l2Table + (long) geometry.l2Index(guest) * layout.size();
    }

    /**
     * Opens the entries around {@code guest} for changing. The caller holds its clusters exclusively, and closes the
     * span before it lets them go.
     *
     * @param most how many bytes the caller wants to reach; the span ends with its slice
     */
    public EntrySpan open(long guest, long most) throws IOException {
        long at = entryAt(ownTable(guest), guest);
        int within = tables.within(at);
        long reach = (long) (tables.sliceSize() - within) / layout.size() * geometry.clusterSize();
        long clusters = geometry.clustersFor(Math.min(reach, geometry.offsetInCluster(guest) + most));
        return new EntrySpan(tables, layout, tables.pin(at, Rank.L2), within, (int) clusters);
    }

    /** The L2 table of {@code guest}, made if there is none and copied if others refer to it too. */
    private long ownTable(long guest) throws IOException {
        int index = geometry.l1Index(guest);
        long entry = l1Entry(index);
        if (L1Entry.isCopied(entry)) {
            requireTable(guest, entry);
            return l2Table(guest, entry);
        }
        l1Lock.lock();
        try {
            entry = l1Entry(index);
            return L1Entry.isCopied(entry) ? l2Table(guest, entry) : makeOwn(guest, index, l2Table(guest, entry));
        } finally {
            l1Lock.unlock();
        }
    }

    private void requireTable(long guest, long entry) throws IOException {
        if (L1Entry.l2Offset(entry) == 0) {
            throw badL1Entry(guest, "says COPIED of nothing", entry);
        }
    }

    private long makeOwn(long guest, int index, long old) throws IOException {
        if (index >= l1.entries()) {
            throw health.corrupt("L1 table has no entry for guest offset 0x" + Long.toHexString(guest));
        }
        if (old != 0) {
            metadata.requireAlone(MetadataRole.L2, old, geometry.clusterSize());
        }
        HostRun run = allocator.allocateTable(MetadataRole.L2, 1);
        try {
            tables.clear(run.offset(), geometry.clusterSize());
            if (old != 0) {
                byte[] content = new byte[geometry.clusterSize()];
                file.read(old, content);
                file.write(run.offset(), content, 0, content.length);
            }
            tables.set(l1.offset() + (long) index * Tables.ENTRY, L1Entry.of(run.offset()), Rank.L1);
        } catch (IOException e) {
            allocator.abandon(run);
            throw e;
        }
        if (old != 0) {
            allocator.free(old, 1, false);
        }
        return run.offset();
    }

    /** Makes the L1 table reach a virtual size; it moves when it must grow. Nobody else may change entries meanwhile. */
    public void reach(long virtualSize) throws IOException {
        int needed = geometry.l1SizeFor(virtualSize);
        l1Lock.lock();
        try {
            L1Location old = l1;
            if (needed <= old.entries()) {
                return;
            }
            long bytes = (long) needed * Tables.ENTRY;
            long oldClusters = geometry.clustersFor((long) old.entries() * Tables.ENTRY);
            if (oldClusters > 0) {
                metadata.requireAlone(MetadataRole.L1, old.offset(), geometry.clusterOffset(oldClusters));
            }
            HostRun run = allocator.allocateTable(MetadataRole.L1, Math.toIntExact(geometry.clustersFor(bytes)));
            try {
                tables.clear(run.offset(), geometry.clusterOffset(run.clusters()));
                for (int i = 0; i < old.entries(); i++) {
                    long entry = tables.get(old.offset() + (long) i * Tables.ENTRY, Rank.L1);
                    if (entry != 0) {
                        tables.set(run.offset() + (long) i * Tables.ENTRY, entry, Rank.L1);
                    }
                }
            } catch (IOException e) {
                tables.drop(run.offset(), geometry.clusterOffset(run.clusters()));
                allocator.abandon(run);
                throw e;
            }
            l1 = new L1Location(run.offset(), needed);
            if (oldClusters > 0) {
                tables.drop(old.offset(), geometry.clusterOffset(oldClusters));
                allocator.free(old.offset(), oldClusters, false);
            }
        } finally {
            l1Lock.unlock();
        }
    }

    /**
     * One moment's state of the L1 table.
     *
     * @param location where it lies
     * @param slices what has changed of it
     */
    public record Captured(L1Location location, List<CapturedSlice> slices) {}

    /** Copies all that has changed of the L1 table, together with where it lies, at one moment. */
    public Captured captureL1() {
        l1Lock.lock();
        try {
            return new Captured(l1, tables.capture(Rank.L1));
        } finally {
            l1Lock.unlock();
        }
    }
}
