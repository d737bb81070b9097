package io.qfuse.qcow2;

import io.qfuse.cache.CacheBudget;
import io.qfuse.cache.ClusterCache;
import io.qfuse.cache.LookupCounts;
import io.qfuse.qcow2.DiskStatistics.Lookups;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.alloc.ClusterAllocator;
import io.qfuse.qcow2.bitmap.DirtyBitmaps;
import io.qfuse.qcow2.codec.DecompressorPool;
import io.qfuse.qcow2.commit.Checkpoint;
import io.qfuse.qcow2.data.CompressedClusters;
import io.qfuse.qcow2.data.GuestReader;
import io.qfuse.qcow2.data.GuestWriter;
import io.qfuse.qcow2.data.ImageParts;
import io.qfuse.qcow2.data.Preallocator;
import io.qfuse.qcow2.data.Resizer;
import io.qfuse.qcow2.data.ZeroWriter;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.guard.Health;
import io.qfuse.qcow2.guard.MetadataClusters;
import io.qfuse.qcow2.guard.MetadataScan;
import io.qfuse.qcow2.io.BarrierFile;
import io.qfuse.qcow2.io.BufferPool;
import io.qfuse.qcow2.io.HostCounts;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.map.ClusterMap;
import io.qfuse.qcow2.map.RangeLock;
import io.qfuse.qcow2.snapshot.SnapshotTable;
import io.qfuse.qcow2.store.DataClusters;
import io.qfuse.qcow2.store.ExternalClusters;
import io.qfuse.qcow2.store.GuardedData;
import io.qfuse.qcow2.store.GuestData;
import io.qfuse.qcow2.store.OwnClusters;
import io.qfuse.qcow2.store.PlainData;
import io.qfuse.qcow2.table.Rank;
import io.qfuse.qcow2.table.Tables;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * An open qcow2 image and, through its backing layer, all it stands on. The verbs live in {@code data}; this class checks
 * ranges, keeps memory bounded and delegates.
 */
final class Qcow2Image implements Disk {

    /** A checkpoint is due when this share of the cache is changed and not yet durable. */
    private static final int DIRTY_SHARE = 4;

    /** Decompressed clusters take this share of the cache beside it. */
    private static final int DECOMPRESSED_SHARE = 4;

    private static final long MOST_DIRTY = 8L << 20;
    private static final int MOST_PENDING_FREES = 1 << 16;

    private final HostFile file;
    private final @Nullable HostFile externalData;
    private final Header header;
    private final GuestData data;
    private final Health health;
    private final MetadataClusters metadata;
    private final Tables tables;
    private final ClusterAllocator allocator;
    private final DataClusters clusters;
    private final Checkpoint checkpoint;
    private final DirtyBitmaps bitmaps;
    private final ImageParts parts;
    private final GuestReader reader;
    private final GuestWriter writer;
    private final ZeroWriter zeroes;
    private final Preallocator preallocator;
    private final Resizer resizer;
    private final Geometry geometry;
    private final @Nullable Layer backing;
    private final DecompressorPool decompressors;
    private final ChainCaches caches;
    private final long cacheBytes;
    private final long mostDirty;
    private boolean closed;

    /**
     * An image over a file whose header was read and found usable.
     *
     * @param files the image's files; closed with the image
     * @param header its header
     * @param backing what shows through unallocated clusters, or null; closed with the image
     * @param options how the image was opened
     * @param caches what is shared by all images of a chain
     */
    Qcow2Image(ImageFiles files, Header header, @Nullable Layer backing, OpenOptions options, ChainCaches caches)
            throws IOException {
        this.file = new BarrierFile(files.image());
        this.externalData = files.data();
        this.header = header;
        this.backing = backing;
        this.geometry = header.geometry();
        HostFile guestFile = files.data() == null ? file : new BarrierFile(files.data());
        this.health = new Health(file, header, options.writable());
        this.metadata = findMetadata(header);
        GuestData plain = new PlainData(guestFile);
        GuestData stored = header.hasExternalData() ? plain : new GuardedData(plain, metadata);
        // The last that may fail: nobody would wipe the key for an image that does not come to be.
        this.data = Encryption.over(stored, file, header, options.passphrase());
        this.tables = new Tables(file, geometry, caches.metadata(), health, metadata);
        this.allocator = new ClusterAllocator(file, tables, header, health, metadata);
        boolean unmaps = options.discard() == OpenOptions.Discard.UNMAP;
        this.clusters = header.hasExternalData()
                ? new ExternalClusters(guestFile, geometry, header.hasRawExternalData(), unmaps)
                : new OwnClusters(allocator, unmaps);
        health.keep(header.hasRawExternalData() ? Features.RAW_EXTERNAL_DATA : 0);
        ClusterMap map = new ClusterMap(file, tables, allocator, health, metadata, header);
        this.checkpoint = new Checkpoint(file, data, tables, allocator, map, health, metadata, header);
        this.bitmaps = new DirtyBitmaps(file, header, allocator, checkpoint, health);
        this.decompressors = DecompressorPool.of(header.compressionType());
        CompressedClusters compressed =
                new CompressedClusters(file, geometry, decompressors, caches.decompressed(), BufferPool.shared());
        this.parts = new ImageParts(
                header.version(),
                geometry,
                file,
                data,
                map,
                clusters,
                new RangeLock(header.clusterBits()),
                BufferPool.shared(),
                compressed,
                backing);
        this.reader = new GuestReader(parts);
        this.writer = new GuestWriter(parts, reader);
        this.zeroes = new ZeroWriter(parts, reader, writer, this::relieve);
        this.preallocator = new Preallocator(parts, reader, writer, this::relieve);
        this.resizer = new Resizer(parts, header, zeroes, checkpoint, bitmaps);
        this.caches = caches;
        this.cacheBytes = options.cacheBytes();
        this.mostDirty = Math.min(MOST_DIRTY, options.cacheBytes() / DIRTY_SHARE);
    }

    private MetadataClusters findMetadata(Header header) throws IOException {
        if (!health.opensWritable()) {
            return MetadataScan.none(header, health);
        }
        SnapshotTable snapshots = SnapshotTable.read(file, header);
        return MetadataScan.read(file, header, health, snapshots.snapshots(), snapshots.length());
    }

    /**
     * What the images of one chain share.
     *
     * @param metadata room for slices of tables
     * @param decompressed room for decompressed clusters
     * @param host what is asked of the files
     */
    record ChainCaches(CacheBudget metadata, ClusterCache decompressed, HostCounts host) {

        static ChainCaches of(OpenOptions options) {
            return new ChainCaches(
                    new CacheBudget(options.cacheBytes()),
                    new ClusterCache(options.cacheBytes() / DECOMPRESSED_SHARE),
                    new HostCounts());
        }

        Lookups lookups(Rank rank) {
            return sum(metadata.lookups(rank.number()));
        }

        static Lookups sum(LookupCounts counts) {
            return new Lookups(counts.hits(), counts.misses());
        }
    }

    /** Where the metadata of an image that is open for writing lie. */
    MetadataClusters metadata() {
        return metadata;
    }

    @Override
    public long size() {
        return resizer.size();
    }

    @Override
    public boolean writable() {
        return health.writable();
    }

    @Override
    public Optional<HostAccess> access() throws IOException {
        if (header.cryptMethod() != 0) {
            return Optional.empty();
        }
        Optional<HostAccess> all = file.access();
        if (externalData != null) {
            all = HostAccess.both(all, externalData.access());
        }
        return backing == null ? all : HostAccess.both(all, backing.access());
    }

    @Override
    public long allocatedBytes() throws IOException {
        return file.allocatedBytes() + clusters.allocatedBytes() + (backing == null ? 0 : backing.allocatedBytes());
    }

    @Override
    public void read(long offset, long address, int length) throws IOException {
        requireInside(offset, length);
        reader.read(offset, address, length);
    }

    @Override
    public Extent nextExtent(long offset) throws IOException {
        long end = size(); // once: a disk that shrinks meanwhile must not make the run negative
        requireInside(offset, 1, end);
        return reader.nextExtent(offset, end - offset);
    }

    @Override
    public void write(long offset, long address, int length) throws IOException {
        requireInside(offset, length);
        health.requireWritable();
        relieve();
        try {
            writer.write(offset, address, length);
        } finally {
            bitmaps.changed(offset, length);
        }
    }

    @Override
    public void writeZeroes(long offset, long length, boolean unmap) throws IOException {
        requireInside(offset, length);
        health.requireWritable();
        try {
            zeroes.zero(offset, length, unmap, this::size);
        } finally {
            bitmaps.changed(offset, length);
        }
    }

    @Override
    public void allocate(long offset, long length) throws IOException {
        requireInside(offset, length);
        health.requireWritable();
        if (length > 0) {
            preallocator.allocate(offset, length, size());
        }
    }

    @Override
    public void resize(long newSize) throws IOException {
        health.requireWritable();
        resizer.resize(newSize);
    }

    @Override
    public void flush() throws IOException {
        if (health.opensWritable()) {
            checkpoint.run();
        }
    }

    @Override
    public DiskStatistics statistics() {
        return new DiskStatistics(
                caches.lookups(Rank.L1),
                caches.lookups(Rank.L2),
                caches.lookups(Rank.REFCOUNT_TABLE).plus(caches.lookups(Rank.REFCOUNT_BLOCK)),
                ChainCaches.sum(caches.decompressed().lookups()),
                cacheBytes,
                CacheBudget.room(l2Bytes()),
                caches.host().sum(),
                checkpoint.statistics());
    }

    private long l2Bytes() {
        long own = geometry.clustersFor(size()) * geometry.l2EntrySize();
        return backing instanceof Qcow2Image below ? own + below.l2Bytes() : own;
    }

    /** The internal snapshots that the table names now; not closed by anybody but this image. */
    List<Snapshot> snapshots() throws IOException {
        // Their holds exclude nobody, and their damage does not stop this disk.
        RangeLock locks = new RangeLock(header.clusterBits());
        Health apart = new Health(file, header, false);
        SnapshotDisk.Opener opener = snapshot -> {
            Header shown = snapshot.shownBy(header, file.path(), file.size());
            ClusterMap map = new ClusterMap(file, tables, allocator, apart, metadata, shown);
            return new GuestReader(parts.over(map, locks));
        };
        List<Snapshot> snapshots = new ArrayList<>();
        SnapshotTable.read(
                file,
                header,
                entry -> snapshots.add(new Snapshot(
                        entry.id(),
                        entry.name(),
                        Instant.ofEpochSecond(entry.dateSeconds(), entry.dateNanos()),
                        new SnapshotDisk(this, file.path(), entry.withoutTexts(), entry.sizeIn(header), opener))));
        return snapshots;
    }

    private void relieve() throws IOException {
        if (tables.dirtyBytes() > mostDirty || allocator.pendingFrees() > MOST_PENDING_FREES) {
            checkpoint.relieve();
        }
    }

    private void requireInside(long offset, long length) throws Qcow2Exception {
        requireInside(offset, length, size());
    }

    private void requireInside(long offset, long length, long end) throws Qcow2Exception {
        if (offset < 0 || length < 0 || length > end - offset) {
            throw new Qcow2Exception(
                    Kind.OUT_OF_RANGE,
                    file.path(),
                    length + " bytes at " + offset + " do not lie within the disk of " + end + " bytes");
        }
    }

    /** Flushes, saves the bitmaps, and flushes until no freed cluster waits for its release: a closed image has no leaks. */
    @Override
    public void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        try (file;
                data;
                backing;
                decompressors) {
            flush();
            if (bitmaps.save()) {
                flush();
            }
            if (health.opensWritable() && tables.dirtyBytes() > 0) {
                flush();
            }
        }
    }
}
