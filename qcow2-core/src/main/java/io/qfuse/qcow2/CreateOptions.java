package io.qfuse.qcow2;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a new image is to be like.
 *
 * @param size the virtual size in bytes, rounded up to 512 when the image is made; -1 for that of the backing file
 * @param clusterSize bytes of a cluster, a power of two from 512 to 2 MiB
 * @param version 2 or 3
 * @param refcountBits width of a refcount in bits, a power of two from 1 to 64
 * @param lazyRefcounts whether writers may postpone refcount updates; qfuse keeps the mark and does not do it
 * @param extendedL2 whether each cluster has 32 subclusters; version 3 with clusters of at least 16 KiB only
 * @param compression how clusters are compressed that are to be
 * @param preallocation what is allocated beforehand
 * @param backing what lies below, or null for nothing
 * @param dataFile where guest data go, or null for the image itself
 * @param overwrite whether a file that is there already is replaced
 */
public record CreateOptions(
        long size,
        int clusterSize,
        int version,
        int refcountBits,
        boolean lazyRefcounts,
        boolean extendedL2,
        Compression compression,
        Preallocation preallocation,
        @Nullable Backing backing,
        @Nullable DataFile dataFile,
        boolean overwrite) {

    /** The size that is taken from the backing file. */
    public static final long SIZE_OF_BACKING = -1;

    /** How clusters are compressed. */
    public enum Compression {
        /** Raw deflate, which every reader knows. */
        ZLIB,
        /** Zstandard; version 3 only. */
        ZSTD
    }

    /** What is allocated beforehand. */
    public enum Preallocation {
        /** Nothing. */
        OFF,
        /** Every cluster, without writing data: the host file stays sparse, and no write has to allocate. */
        METADATA
    }

    /**
     * The file below.
     *
     * @param file its name as it is stored, relative to the directory of the new image
     * @param format {@code "qcow2"} or {@code "raw"}
     */
    public record Backing(String file, String format) {}

    /**
     * An external data file.
     *
     * @param file its name as it is stored, relative to the directory of the new image
     * @param raw whether it alone is what the guest sees
     */
    public record DataFile(String file, boolean raw) {}

    /** An image whose data are in itself. */
    public CreateOptions(
            long size,
            int clusterSize,
            int version,
            int refcountBits,
            boolean lazyRefcounts,
            boolean extendedL2,
            Compression compression,
            Preallocation preallocation,
            @Nullable Backing backing,
            boolean overwrite) {
        this(
                size,
                clusterSize,
                version,
                refcountBits,
                lazyRefcounts,
                extendedL2,
                compression,
                preallocation,
                backing,
                null,
                overwrite);
    }

    /** An image of version 3 with 64 KiB clusters and 16-bit refcounts, that replaces nothing. */
    public static CreateOptions ofSize(long size) {
        return new CreateOptions(size, 1 << 16, 3, 16, false, false, Compression.ZLIB, Preallocation.OFF, null, false);
    }

    /**
     * The options in words of {@code key=value}, several in one word separated by commas; a comma inside a value is
     * doubled. Keys and values are those of qemu-img.
     *
     * @throws IllegalArgumentException where a key is not known, a value is not possible, or two do not go together
     */
    public static CreateOptions parse(List<String> words) {
        return new CreateOptionsParser().parse(words);
    }

    /** The same with another size, in bytes. */
    public CreateOptions withSize(long newSize) {
        return new CreateOptions(
                newSize,
                clusterSize,
                version,
                refcountBits,
                lazyRefcounts,
                extendedL2,
                compression,
                preallocation,
                backing,
                dataFile,
                overwrite);
    }

    /** The same over a backing file. */
    public CreateOptions withBacking(String file, String format) {
        return new CreateOptions(
                size,
                clusterSize,
                version,
                refcountBits,
                lazyRefcounts,
                extendedL2,
                compression,
                preallocation,
                new Backing(file, format),
                dataFile,
                overwrite);
    }

    /** The same with its data in another file. */
    public CreateOptions withDataFile(String file, boolean raw) {
        return new CreateOptions(
                size,
                clusterSize,
                version,
                refcountBits,
                lazyRefcounts,
                extendedL2,
                compression,
                preallocation,
                backing,
                new DataFile(file, raw),
                overwrite);
    }

    /** The same, replacing what is there or not. */
    public CreateOptions withOverwrite(boolean replace) {
        return new CreateOptions(
                size,
                clusterSize,
                version,
                refcountBits,
                lazyRefcounts,
                extendedL2,
                compression,
                preallocation,
                backing,
                dataFile,
                replace);
    }
}
