package io.qfuse.qcow2.format;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The header in cluster 0, its extensions and the backing file's name (format notes, section 1), as decoded and found
 * sound. For a version 2 image the fields of version 3 have the values that version 2 implies.
 *
 * @param version 2 or 3
 * @param clusterBits log2 of the cluster size, 9 to 21
 * @param size the virtual size in bytes as stored
 * @param cryptMethod 0 none, 1 AES, 2 LUKS
 * @param l1Size entries of the active L1 table
 * @param l1Offset where the active L1 table is
 * @param refcountTableOffset where the refcount table is
 * @param refcountTableClusters its length in clusters
 * @param snapshotCount internal snapshots
 * @param snapshotsOffset where the snapshot table is
 * @param incompatible feature bits that a reader must know
 * @param compatible feature bits that anyone may ignore
 * @param autoclear feature bits that a writer who does not know them clears
 * @param refcountOrder log2 of the width of a refcount in bits, 0 to 6
 * @param headerLength bytes of the fixed header
 * @param compressionType 0 deflate, 1 zstd
 * @param extensions the header extensions in their order
 * @param backingFile the backing file's name as stored, or null for none
 */
public record Header(
        int version,
        int clusterBits,
        long size,
        int cryptMethod,
        int l1Size,
        long l1Offset,
        long refcountTableOffset,
        int refcountTableClusters,
        int snapshotCount,
        long snapshotsOffset,
        long incompatible,
        long compatible,
        long autoclear,
        int refcountOrder,
        int headerLength,
        int compressionType,
        List<HeaderExtension> extensions,
        @Nullable String backingFile) {

    /** {@link #cryptMethod} of the legacy encryption. */
    public static final int CRYPT_AES = 1;
    /** {@link #cryptMethod} of LUKS. */
    public static final int CRYPT_LUKS = 2;
    /** {@link #compressionType} of zstd. */
    public static final int COMPRESSION_ZSTD = 1;

    /** The extensions are copied. */
    public Header {
        extensions = List.copyOf(extensions);
    }

    /** The sizes that follow from the header. */
    public Geometry geometry() {
        return new Geometry(clusterBits, refcountOrder, (incompatible & Features.EXTENDED_L2) != 0);
    }

    /** Whether guest data are in another file (format notes, section 12). */
    public boolean hasExternalData() {
        return (incompatible & Features.EXTERNAL_DATA_FILE) != 0;
    }

    /** Whether the file with the guest data alone is what the guest sees (format notes, section 12). */
    public boolean hasRawExternalData() {
        return hasExternalData() && (autoclear & Features.RAW_EXTERNAL_DATA) != 0;
    }

    /** The data of an extension, where there is one of this type. */
    public Optional<byte[]> extension(int type) {
        return extensions.stream()
                .filter(extension -> extension.type() == type)
                .map(HeaderExtension::data)
                .findFirst();
    }

    /** The backing file's format as stored, {@code "qcow2"} or {@code "raw"} as a rule; empty where it is not. */
    public String backingFormat() {
        return extension(HeaderExtension.BACKING_FORMAT)
                .map(data -> new String(data, StandardCharsets.UTF_8))
                .orElse("");
    }

    /** The external data file's name as stored; empty where it is not. */
    public String dataFile() {
        return extension(HeaderExtension.DATA_FILE)
                .map(data -> new String(data, StandardCharsets.UTF_8))
                .orElse("");
    }

    /** The same header with other extensions. */
    public Header withExtensions(List<HeaderExtension> others) {
        return with(size, l1Size, l1Offset, others);
    }

    /** The same header with another disk: that of a snapshot. */
    Header showing(long diskSize, long itsL1Offset, int itsL1Size) {
        return with(diskSize, itsL1Size, itsL1Offset, extensions);
    }

    private Header with(long newSize, int newL1Size, long newL1Offset, List<HeaderExtension> newExtensions) {
        return new Header(
                version,
                clusterBits,
                newSize,
                cryptMethod,
                newL1Size,
                newL1Offset,
                refcountTableOffset,
                refcountTableClusters,
                snapshotCount,
                snapshotsOffset,
                incompatible,
                compatible,
                autoclear,
                refcountOrder,
                headerLength,
                compressionType,
                newExtensions,
                backingFile);
    }
}
