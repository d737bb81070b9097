package io.qfuse.qcow2.guard;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Limits;
import java.util.EnumSet;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Where the metadata of an image lie, so that every write can be asked whether it hits only what it is meant to (format
 * notes, section 23).
 *
 * <h2>What is known</h2>
 *
 * From the opening of a writable image on: header, active L1 table, its L2 tables, refcount table and blocks, bitmap
 * directory, snapshot table, L1 tables of snapshots, crypto header. An L2 table that a write unshared from a snapshot
 * stays known; the other L2 tables of snapshots are not read, and nothing but their refcounts protects them, as in QEMU.
 *
 * <ol>
 *   <li>A cluster is claimed before the first byte of its table is written, and refused if it is anything already.
 *   <li>It leaves when its refcount falls to 0, which for what was ever linked happens behind a durable checkpoint, and
 *       before the cluster can be given out again.
 *   <li>Guest data are written, reserved, punched and given up only where no metadata are.
 *   <li>A table is changed, written and given up only where it is the one thing that lies there: not another table, not
 *       the same one named twice.
 *   <li>Nothing is written where the file neither reached when it was opened nor was made to by an allocation: an
 *       entry cannot make a file of terabytes.
 *   <li>A refusal stops writing for good ({@link Health}). That an image names one cluster twice is no reason to refuse
 *       to open it: reading needs none of this.
 * </ol>
 *
 * <h2>What it costs</h2>
 *
 * Tables that come and go take one word a cluster in {@link ClusterRoles}: at most one for each L1 and refcount table
 * entry that the format allows, 5 million. What stays, and whose length is whatever a field claims, are ranges in {@link
 * FixedRegions}. A question costs one probe a cluster and one search in the ranges, no lock and no memory.
 *
 * <h2>Concurrency</h2>
 *
 * Changes happen under the allocator's lock; questions are asked by anybody without it. A question beside a change is
 * answered as before or as after it. Either is right: a cluster that becomes metadata was free, so nobody may have it
 * as data, and one that stops being metadata is given to somebody only after that, under the same lock.
 *
 * <h2>Why not ask the refcounts</h2>
 *
 * They say that a cluster is in use, not what for, and on a damaged image not even that.
 */
public final class MetadataClusters {

    /** Beside the roles' bits: two entries of one table name this cluster. */
    private static final int TWICE = 1 << (ClusterRoles.WIDTH - 1);

    private final Health health;
    private final Geometry geometry;
    private final ClusterRoles roles = new ClusterRoles();
    private final FixedRegions fixed;

    /** The first cluster that the file does not reach and nobody was given; raised under the allocator's lock. */
    private volatile long end;

    /** The metadata of an image, of which only {@code fixed} are known so far. */
    MetadataClusters(Health health, Geometry geometry, FixedRegions fixed, long fileSize) {
        this.health = health;
        this.geometry = geometry;
        this.fixed = fixed;
        this.end = geometry.clustersFor(Math.min(fileSize, Limits.MAX_HOST_OFFSET));
    }

    /** The first cluster of which the file has never held a byte. */
    public long end() {
        return end;
    }

    /** Tells that clusters up to this one are in somebody's hands; the caller holds the allocator's lock. */
    public void raiseEnd(long cluster) {
        end = Math.max(end, cluster);
    }

    /** Takes note of clusters that an image names as it is found. */
    void found(MetadataRole role, long first, long clusters) {
        long limit = Math.min(first + clusters, geometry.clusterIndex(Limits.MAX_HOST_OFFSET));
        for (long cluster = first; cluster < limit; cluster++) {
            int before = roles.bits(cluster);
            roles.set(cluster, before | role.bit() | ((before & role.bit()) != 0 ? TWICE : 0));
        }
    }

    /** Makes free clusters a table's; the caller holds the allocator's lock, and writes them only after this. */
    public void claim(MetadataRole role, long first, long clusters) throws Qcow2Exception {
        requireFree(first, clusters);
        for (long cluster = first; cluster < first + clusters; cluster++) {
            roles.set(cluster, role.bit());
        }
        raiseEnd(first + clusters);
    }

    /** Tells that clusters are no metadata any more; the caller holds the allocator's lock. */
    public void forget(long first, long clusters) {
        for (long cluster = first; cluster < first + clusters; cluster++) {
            roles.set(cluster, 0);
        }
    }

    /** Refuses to give out clusters that count as free and hold metadata. */
    public void requireFree(long first, long clusters) throws Qcow2Exception {
        int met = bits(first, first + clusters - 1);
        if (met != 0) {
            throw health.corrupt("refcounts of " + clusters + " clusters from " + hex(first) + " on are 0, but the "
                    + titles(met) + " lies there");
        }
    }

    /** Refuses to write guest bytes, or to reserve space for them, where metadata are. */
    public void requireData(long offset, long length) throws Qcow2Exception {
        long first = geometry.clusterIndex(offset);
        long last = geometry.clusterIndex(offset + length - 1);
        int met = bits(first, last);
        if (met != 0) {
            throw health.corrupt("a write of " + length + " bytes of guest data at host offset 0x"
                    + Long.toHexString(offset) + " would hit the " + titles(met));
        }
        if (last >= end) {
            throw health.corrupt("a write of " + length + " bytes of guest data at host offset 0x"
                    + Long.toHexString(offset) + " lies behind the end of the file");
        }
    }

    /** Refuses to give up clusters of guest data that hold metadata, or that the file does not have. */
    public void requireDataFreed(long offset, long clusters) throws Qcow2Exception {
        long first = geometry.clusterIndex(offset);
        int met = bits(first, first + clusters - 1);
        if (met != 0 || first + clusters > end) {
            throw health.corrupt("an L2 entry gives up " + clusters + " clusters of guest data at host offset 0x"
                    + Long.toHexString(offset)
                    + (met == 0 ? ", behind the end of the file" : ", but the " + titles(met) + " lies there"));
        }
    }

    /** Refuses to change, write or give up a table where anything else lies. */
    public void requireAlone(MetadataRole role, long offset, long length) throws Qcow2Exception {
        long first = geometry.clusterIndex(offset);
        long last = geometry.clusterIndex(offset + length - 1);
        int met = bits(first, last) & ~role.bit();
        if (met == TWICE) {
            throw health.corrupt(
                    "two entries name the " + role.title() + " at host offset 0x" + Long.toHexString(offset));
        }
        if (met != 0) {
            throw health.corrupt("a write of the " + role.title() + " at host offset 0x" + Long.toHexString(offset)
                    + " would hit the " + titles(met));
        }
        if (last >= end) {
            throw health.corrupt("the " + role.title() + " at host offset 0x" + Long.toHexString(offset)
                    + " lies behind the end of the file");
        }
    }

    private int bits(long first, long last) {
        int met = fixed.bits(first, last);
        for (long cluster = first; cluster <= last; cluster++) {
            met |= roles.bits(cluster);
        }
        return met;
    }

    /** What lies in the cluster that holds a host offset, as far as is known; nothing where it may be guest data. */
    public Set<MetadataRole> at(long offset) {
        long cluster = geometry.clusterIndex(offset);
        return decoded(bits(cluster, cluster));
    }

    private static Set<MetadataRole> decoded(int bits) {
        Set<MetadataRole> found = EnumSet.noneOf(MetadataRole.class);
        for (MetadataRole role : MetadataRole.values()) {
            if ((bits & role.bit()) != 0) {
                found.add(role);
            }
        }
        return found;
    }

    private static String titles(int bits) {
        return decoded(bits).stream().map(MetadataRole::title).collect(Collectors.joining(" and the "));
    }

    private String hex(long cluster) {
        return "0x" + Long.toHexString(geometry.clusterOffset(cluster));
    }
}
