package io.qfuse.qcow2.testing;

import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderCodec;
import io.qfuse.qcow2.format.HeaderExtension;
import io.qfuse.qcow2.format.Limits;
import io.qfuse.qcow2.format.RefcountWidth;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A kind of image that tests are run over, and how a fresh one is laid out: header, refcount table, one block, L1 table.
 *
 * @param version 2 or 3
 * @param clusterBits log2 of the cluster size
 * @param refcountOrder log2 of the refcount width
 * @param backed whether a raw file lies below, a bit shorter than the image
 * @param extendedL2 whether clusters have subclusters
 * @param data where guest data are
 */
public record ImageKind(
        int version, int clusterBits, int refcountOrder, boolean backed, boolean extendedL2, Data data) {

    /** Where guest data are. */
    public enum Data {
        /** In the image. */
        INSIDE,
        /** In an external file, where they mean what the image says of them. */
        EXTERNAL,
        /** In an external file that alone is what the guest sees. */
        EXTERNAL_RAW
    }

    /** A kind whose data are inside. */
    public ImageKind(int version, int clusterBits, int refcountOrder, boolean backed, boolean extendedL2) {
        this(version, clusterBits, refcountOrder, backed, extendedL2, Data.INSIDE);
    }

    /** A kind without subclusters. */
    public ImageKind(int version, int clusterBits, int refcountOrder, boolean backed) {
        this(version, clusterBits, refcountOrder, backed, false);
    }

    /** Every combination that differs in what the core does, each small. */
    public static List<ImageKind> matrix() {
        List<ImageKind> kinds = new ArrayList<>();
        for (boolean backed : new boolean[] {false, true}) {
            for (int clusterBits : new int[] {9, 12, 14, 16, 21}) {
                kinds.add(new ImageKind(2, clusterBits, 4, backed));
                if (clusterBits >= Limits.MIN_EXTENDED_L2_CLUSTER_BITS) {
                    kinds.add(new ImageKind(3, clusterBits, 4, backed, true));
                }
                for (int refcountOrder : new int[] {0, 1, 3, 4, 6}) {
                    kinds.add(new ImageKind(3, clusterBits, refcountOrder, backed));
                }
            }
        }
        return kinds;
    }

    /** Kinds with an external data file. */
    public static List<ImageKind> external() {
        List<ImageKind> kinds = new ArrayList<>();
        for (int clusterBits : new int[] {9, 14, 16}) {
            for (boolean extended : new boolean[] {false, clusterBits >= Limits.MIN_EXTENDED_L2_CLUSTER_BITS}) {
                kinds.add(new ImageKind(3, clusterBits, 4, false, extended, Data.EXTERNAL));
                kinds.add(new ImageKind(3, clusterBits, 4, true, extended, Data.EXTERNAL));
                kinds.add(new ImageKind(3, clusterBits, 4, false, extended, Data.EXTERNAL_RAW));
            }
        }
        return kinds;
    }

    /** All kinds, those with an external data file included. */
    public static List<ImageKind> all() {
        List<ImageKind> kinds = new ArrayList<>(matrix());
        kinds.addAll(external());
        return kinds;
    }

    /** The data file of a fresh image: full of an earlier use's bytes where they mean nothing; null where data are inside. */
    public @Nullable MemoryHostFile createData(long size) {
        if (data == Data.INSIDE) {
            return null;
        }
        MemoryHostFile file = new MemoryHostFile("data.raw");
        file.truncate(size);
        if (data == Data.EXTERNAL) {
            byte[] junk = new byte[(int) size];
            Arrays.fill(junk, (byte) 0x5a);
            file.write(0, junk, 0, junk.length);
        }
        return file;
    }

    /** Bytes of a cluster. */
    public int clusterSize() {
        return 1 << clusterBits;
    }

    /** A fresh image of this kind; nothing in it is allocated. */
    public MemoryHostFile create(long size) {
        Geometry geometry = new Geometry(clusterBits, refcountOrder, extendedL2);
        int l1Entries = geometry.l1SizeFor(size);
        long l1Clusters = geometry.clustersFor(8L * l1Entries);
        long cluster = geometry.clusterSize();
        Header header = new Header(
                version,
                clusterBits,
                size,
                0,
                l1Entries,
                3 * cluster,
                cluster,
                1,
                0,
                0,
                (extendedL2 ? Features.EXTENDED_L2 : 0) | (data == Data.INSIDE ? 0 : Features.EXTERNAL_DATA_FILE),
                0,
                data == Data.EXTERNAL_RAW ? Features.RAW_EXTERNAL_DATA : 0,
                refcountOrder,
                HeaderCodec.headerLengthFor(version),
                0,
                extensions(),
                backed ? "base.raw" : null);
        MemoryHostFile file = new MemoryHostFile("image.qcow2");
        try {
            write(file, 0, HeaderCodec.encode(header, Path.of("image.qcow2")));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        write(file, cluster, ByteBuffer.allocate(8).putLong(2 * cluster).array());
        byte[] block = new byte[geometry.clusterSize()];
        RefcountWidth width = new RefcountWidth(refcountOrder);
        for (int used = 0; used < 3 + l1Clusters; used++) {
            width.set(block, used, 1);
        }
        write(file, 2 * cluster, block);
        file.truncate(3 * cluster + 8L * l1Entries);
        return file;
    }

    private List<HeaderExtension> extensions() {
        List<HeaderExtension> extensions = new ArrayList<>();
        if (backed) {
            extensions.add(
                    new HeaderExtension(HeaderExtension.BACKING_FORMAT, "raw".getBytes(StandardCharsets.US_ASCII)));
        }
        if (data != Data.INSIDE) {
            extensions.add(
                    new HeaderExtension(HeaderExtension.DATA_FILE, "data.raw".getBytes(StandardCharsets.US_ASCII)));
        }
        return extensions;
    }

    private static void write(MemoryHostFile file, long offset, byte[] bytes) {
        file.write(offset, bytes, 0, bytes.length);
    }
}
