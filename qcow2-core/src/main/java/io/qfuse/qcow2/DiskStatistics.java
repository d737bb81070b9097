package io.qfuse.qcow2;

/**
 * What serving a disk has come to since it was opened, with all layers below it; a snapshot's part is in that of its image.
 * The numbers are read beside those who count, so they fit each other only about.
 *
 * @param l1 lookups of slices of L1 tables
 * @param l2 lookups of slices of L2 tables
 * @param refcounts lookups of slices of refcount tables and blocks
 * @param decompressed lookups of decompressed clusters; a miss decompresses one
 * @param cacheBytes the room for cached slices
 * @param l2Bytes the room that all slices of L2 tables of the whole disk would take in the cache
 * @param host calls to the host
 * @param checkpoints ordered flushes
 */
public record DiskStatistics(
        Lookups l1,
        Lookups l2,
        Lookups refcounts,
        Lookups decompressed,
        long cacheBytes,
        long l2Bytes,
        Host host,
        Checkpoints checkpoints) {

    /** Of a disk that does not count. */
    public static final DiskStatistics NONE = new DiskStatistics(
            Lookups.NONE, Lookups.NONE, Lookups.NONE, Lookups.NONE, 0, 0, Host.NONE, Checkpoints.NONE);

    /** Of two disks together. */
    public DiskStatistics plus(DiskStatistics other) {
        return new DiskStatistics(
                l1.plus(other.l1),
                l2.plus(other.l2),
                refcounts.plus(other.refcounts),
                decompressed.plus(other.decompressed),
                cacheBytes + other.cacheBytes,
                l2Bytes + other.l2Bytes,
                host.plus(other.host),
                checkpoints.plus(other.checkpoints));
    }

    /** How often something was found in a cache, and how often not. */
    public record Lookups(long hits, long misses) {

        static final Lookups NONE = new Lookups(0, 0);

        Lookups plus(Lookups other) {
            return new Lookups(hits + other.hits, misses + other.misses);
        }
    }

    /**
     * System calls on the files of an image.
     *
     * @param reads calls of pread
     * @param readBytes what they read
     * @param writes calls of pwrite
     * @param writtenBytes what they wrote
     * @param syncs calls of fdatasync
     * @param syncNanos the time that they took together
     */
    public record Host(long reads, long readBytes, long writes, long writtenBytes, long syncs, long syncNanos) {

        static final Host NONE = new Host(0, 0, 0, 0, 0, 0);

        Host plus(Host other) {
            return new Host(
                    reads + other.reads,
                    readBytes + other.readBytes,
                    writes + other.writes,
                    writtenBytes + other.writtenBytes,
                    syncs + other.syncs,
                    syncNanos + other.syncNanos);
        }
    }

    /**
     * Ordered flushes.
     *
     * @param count how many have run
     * @param nanos the time that they took together
     * @param longestNanos the longest of them
     * @param awaited how often a change had to wait for one because too much was not yet durable
     */
    public record Checkpoints(long count, long nanos, long longestNanos, long awaited) {

        /** None yet. */
        public static final Checkpoints NONE = new Checkpoints(0, 0, 0, 0);

        /** With one more. */
        public Checkpoints ran(long itsNanos) {
            return new Checkpoints(count + 1, nanos + itsNanos, Math.max(longestNanos, itsNanos), awaited);
        }

        Checkpoints plus(Checkpoints other) {
            return new Checkpoints(
                    count + other.count,
                    nanos + other.nanos,
                    Math.max(longestNanos, other.longestNanos),
                    awaited + other.awaited);
        }
    }
}
