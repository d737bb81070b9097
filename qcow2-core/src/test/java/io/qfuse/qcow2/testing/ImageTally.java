package io.qfuse.qcow2.testing;

import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.format.RefcountTableEntry;
import io.qfuse.qcow2.format.RefcountWidth;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Counts the references to each cluster of an image without internal snapshots, for tests that run where there is no
 * qemu. It shares no code with what it judges but the layout of entries.
 */
public final class ImageTally {

    /** What a cluster is, by its number: the first use that was found. */
    private final Map<Long, Use> uses = new HashMap<>();

    private final Map<Long, Long> references = new TreeMap<>();
    private final Set<Long> shareable = new HashSet<>();
    private final List<String> corruptions = new ArrayList<>();
    private final HostFile file;
    private final Header header;
    private final Geometry geometry;
    private long leaks;

    /** What a cluster is used for. */
    public enum Use {
        /** The header's cluster. */
        HEADER,
        /** A refcount block. */
        REFCOUNT_BLOCK,
        /** A part of the refcount table. */
        REFCOUNT_TABLE,
        /** An L2 table. */
        L2,
        /** A part of the active L1 table. */
        L1,
        /** Guest bytes. */
        DATA
    }

    /** Reads the image that a file holds now. */
    public ImageTally(HostFile file) throws IOException {
        this.file = file;
        this.header = HeaderReader.read(file);
        this.geometry = header.geometry();
        refer(0, geometry.clusterSize(), Use.HEADER);
        long tableBytes = geometry.clusterOffset(header.refcountTableClusters());
        refer(header.refcountTableOffset(), tableBytes, Use.REFCOUNT_TABLE);
        refer(header.l1Offset(), 8L * header.l1Size(), Use.L1);
        LongBuffer table = longs(header.refcountTableOffset(), tableBytes);
        for (int i = 0; i < table.capacity(); i++) {
            if (table.get(i) != 0) {
                refer(RefcountTableEntry.blockOffset(table.get(i)), geometry.clusterSize(), Use.REFCOUNT_BLOCK);
            }
        }
        List<long[]> copied = new ArrayList<>(); // offset, and 1 where its entry says COPIED
        tallyL1(copied);
        Map<Long, Long> counts = compare(table);
        for (long[] entry : copied) {
            long count = counts.getOrDefault(geometry.clusterIndex(entry[0]), 0L);
            if ((count == 1) != (entry[1] == 1)) {
                corruptions.add(at(entry[0]) + " has count " + count + ", its entry's COPIED is " + entry[1]);
            }
        }
    }

    private void tallyL1(List<long[]> copied) throws IOException {
        LongBuffer l1 = longs(header.l1Offset(), 8L * header.l1Size());
        for (int i = 0; i < l1.capacity(); i++) {
            long l2Offset = L1Entry.l2Offset(l1.get(i));
            if (l2Offset == 0) {
                continue;
            }
            copied.add(new long[] {l2Offset, L1Entry.isCopied(l1.get(i)) ? 1 : 0});
            refer(l2Offset, geometry.clusterSize(), Use.L2);
            LongBuffer l2 = longs(l2Offset, geometry.clusterSize());
            for (int j = 0; j < l2.capacity(); j += geometry.l2EntrySize() / 8) {
                tallyEntry(l2.get(j), copied);
            }
        }
    }

    private void tallyEntry(long entry, List<long[]> copied) throws IOException {
        if (L2Entry.isCompressed(entry)) {
            long start = L2Entry.streamOffset(entry, geometry.clusterBits());
            int length = L2Entry.streamLength(entry, geometry.clusterBits());
            for (long c = geometry.clusterIndex(start); c <= geometry.clusterIndex(start + length - 1); c++) {
                shareable.add(c);
            }
            refer(start, length, Use.DATA);
        } else if (L2Entry.hostOffset(entry) != 0) {
            refer(L2Entry.hostOffset(entry), geometry.clusterSize(), Use.DATA);
            copied.add(new long[] {L2Entry.hostOffset(entry), L2Entry.isCopied(entry) ? 1 : 0});
        }
    }

    private Map<Long, Long> compare(LongBuffer table) throws IOException {
        RefcountWidth width = new RefcountWidth(geometry.refcountOrder());
        Map<Long, Long> counts = new HashMap<>();
        for (int i = 0; i < table.capacity(); i++) {
            if (table.get(i) != 0) {
                byte[] block = new byte[geometry.clusterSize()];
                file.read(RefcountTableEntry.blockOffset(table.get(i)), block);
                for (int j = 0; j < geometry.refcountsPerBlock(); j++) {
                    long count = width.get(block, j);
                    if (count != 0) {
                        counts.put((long) i * geometry.refcountsPerBlock() + j, count);
                    }
                }
            }
        }
        counts.forEach((cluster, count) -> {
            if (count > references.getOrDefault(cluster, 0L)) {
                leaks++;
            }
        });
        references.forEach((cluster, referenced) -> {
            long count = counts.getOrDefault(cluster, 0L);
            if (count < referenced) {
                corruptions.add(at(geometry.clusterOffset(cluster)) + " has count " + count + " and " + referenced
                        + " references, as " + uses.get(cluster));
            }
        });
        return counts;
    }

    private void refer(long offset, long length, Use use) throws IOException {
        boolean stream = shareable.contains(geometry.clusterIndex(offset));
        if (!stream && geometry.offsetInCluster(offset) != 0) {
            corruptions.add(at(offset) + " is unaligned, as " + use);
        }
        for (long c = geometry.clusterIndex(offset); c <= geometry.clusterIndex(offset + length - 1); c++) {
            if (geometry.clusterOffset(c) >= file.size()) {
                corruptions.add(at(geometry.clusterOffset(c)) + " lies behind the end of the file, as " + use);
            }
            Use before = uses.putIfAbsent(c, use);
            if (before != null && !(before == use && shareable.contains(c))) {
                corruptions.add(at(geometry.clusterOffset(c)) + " is " + before + " and " + use);
            }
            references.merge(c, 1L, Long::sum);
        }
    }

    private LongBuffer longs(long offset, long length) throws IOException {
        byte[] bytes = new byte[Math.toIntExact(length)];
        file.read(offset, bytes);
        return ByteBuffer.wrap(bytes).asLongBuffer();
    }

    private static String at(long offset) {
        return "cluster 0x" + Long.toHexString(offset);
    }

    /** What is wrong and dangerous. */
    public List<String> corruptions() {
        return corruptions;
    }

    /** Clusters with more counts than references. */
    public long leaks() {
        return leaks;
    }

    /** What the cluster that holds a host offset is used for; null for nothing. */
    public @Nullable Use use(long offset) {
        return uses.get(geometry.clusterIndex(offset));
    }

    /** The header as it is on disk. */
    public Header header() {
        return header;
    }
}
