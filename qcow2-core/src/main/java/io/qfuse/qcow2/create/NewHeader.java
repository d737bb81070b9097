package io.qfuse.qcow2.create;

import io.qfuse.qcow2.CreateOptions;
import io.qfuse.qcow2.CreateOptions.Backing;
import io.qfuse.qcow2.CreateOptions.Compression;
import io.qfuse.qcow2.CreateOptions.DataFile;
import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.format.FeatureNames;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderCodec;
import io.qfuse.qcow2.format.HeaderExtension;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The first cluster of a new image. */
final class NewHeader {

    private NewHeader() {}

    /** Where the tables of a new image are; an L1 table without entries is nowhere. */
    record Tables(int l1Size, long l1Offset, long refcountTableOffset, int refcountTableClusters) {}

    /**
     * The bytes of a whole cluster.
     *
     * @param path where the image is to be, for messages
     * @throws Qcow2Exception of kind UNSUPPORTED where the names of other files do not fit
     */
    static byte[] of(CreateOptions options, long size, Tables tables, Path path) throws Qcow2Exception {
        return firstCluster(header(options, size, tables), path);
    }

    private static Header header(CreateOptions options, long size, Tables tables) {
        boolean zstd = options.compression() == Compression.ZSTD;
        List<HeaderExtension> extensions = new ArrayList<>();
        DataFile dataFile = options.dataFile();
        if (dataFile != null) {
            extensions.add(new HeaderExtension(
                    HeaderExtension.DATA_FILE, dataFile.file().getBytes(StandardCharsets.UTF_8)));
        }
        Backing backing = options.backing();
        if (backing != null) {
            extensions.add(new HeaderExtension(
                    HeaderExtension.BACKING_FORMAT, backing.format().getBytes(StandardCharsets.US_ASCII)));
        }
        return new Header(
                options.version(),
                Integer.numberOfTrailingZeros(options.clusterSize()),
                size,
                0,
                tables.l1Size,
                tables.l1Size == 0 ? 0 : tables.l1Offset,
                tables.refcountTableOffset,
                tables.refcountTableClusters,
                0,
                0,
                (zstd ? Features.COMPRESSION_TYPE : 0)
                        | (options.extendedL2() ? Features.EXTENDED_L2 : 0)
                        | (dataFile != null ? Features.EXTERNAL_DATA_FILE : 0),
                options.lazyRefcounts() ? Features.LAZY_REFCOUNTS : 0,
                dataFile != null && dataFile.raw() ? Features.RAW_EXTERNAL_DATA : 0,
                Integer.numberOfTrailingZeros(options.refcountBits()),
                HeaderCodec.headerLengthFor(options.version()),
                zstd ? Header.COMPRESSION_ZSTD : 0,
                extensions,
                backing == null ? null : backing.file());
    }

    /** Names of features help whoever does not know them; where they do not fit, the image does without. */
    private static byte[] firstCluster(Header header, Path path) throws Qcow2Exception {
        if (header.version() >= 3) {
            List<HeaderExtension> named = new ArrayList<>(header.extensions());
            named.add(FeatureNames.table());
            Header withNames = header.withExtensions(named);
            if (HeaderCodec.fits(withNames)) {
                return HeaderCodec.encode(withNames, path);
            }
        }
        return HeaderCodec.encode(header, path);
    }
}
