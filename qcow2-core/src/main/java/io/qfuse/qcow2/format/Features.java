package io.qfuse.qcow2.format;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import java.nio.file.Path;

/** The feature bits of a header and what they demand of whoever opens the image (format notes, section 2). */
public final class Features {

    /** Incompatible: refcounts may be wrong after a crash. */
    public static final long DIRTY = 1;
    /** Incompatible: metadata were found to be nonsense; only a repair may write. */
    public static final long CORRUPT = 1 << 1;
    /** Incompatible: guest data are in another file. */
    public static final long EXTERNAL_DATA_FILE = 1 << 2;
    /** Incompatible: the header says how compressed clusters are compressed. */
    public static final long COMPRESSION_TYPE = 1 << 3;
    /** Incompatible: L2 entries have 16 bytes, with subclusters. */
    public static final long EXTENDED_L2 = 1 << 4;
    /** Compatible: refcounts may be written late, under {@link #DIRTY}. */
    public static final long LAZY_REFCOUNTS = 1;
    /** Autoclear: the persistent bitmaps are up to date. */
    public static final long BITMAPS = 1;
    /** Autoclear: the external data file alone is what the guest sees. */
    public static final long RAW_EXTERNAL_DATA = 1 << 1;

    private static final long KNOWN = DIRTY | CORRUPT | EXTERNAL_DATA_FILE | COMPRESSION_TYPE | EXTENDED_L2;

    private Features() {}

    /**
     * Refuses by name what this library cannot serve.
     *
     * @param header the image's header
     * @param writable whether the image is to be written
     * @param path the image, for messages
     * @throws Qcow2Exception of kind UNSUPPORTED for a feature that is not there, of kind CORRUPT for writing to an image
     *     marked corrupt
     */
    public static void requireSupported(Header header, boolean writable, Path path) throws Qcow2Exception {
        requireKnown(header, path);
        if (writable && has(header, EXTERNAL_DATA_FILE) && header.snapshotCount() > 0) {
            // Its clusters cannot be copied: a write would change what the snapshots show.
            throw unsupported(
                    path,
                    "has internal snapshots and an external data file, which no writer can keep: it can only be read");
        }
        if (writable && has(header, CORRUPT)) {
            throw new Qcow2Exception(
                    Kind.CORRUPT,
                    path,
                    "marked corrupt (incompatible feature bit 1): it can be read, but only a repair may write to it");
        }
    }

    /**
     * Refuses features that nothing is known of, so that not even the rest of the header can be understood for sure.
     *
     * @throws Qcow2Exception of kind UNSUPPORTED, with the names that the image gives them
     */
    public static void requireKnown(Header header, Path path) throws Qcow2Exception {
        long unknown = header.incompatible() & ~KNOWN;
        if (unknown != 0) {
            throw unsupported(
                    path,
                    "incompatible_features is 0x" + Long.toHexString(header.incompatible()) + ", with unknown "
                            + unknownNames(header, unknown));
        }
    }

    private static boolean has(Header header, long bit) {
        return (header.incompatible() & bit) != 0;
    }

    private static String unknownNames(Header header, long unknown) {
        StringBuilder names = new StringBuilder();
        for (int bit = 0; bit < Long.SIZE; bit++) {
            if ((unknown >>> bit & 1) != 0) {
                names.append(names.isEmpty() ? "" : ", ").append("bit ").append(bit);
                String name = FeatureNames.find(header.extensions(), FeatureNames.INCOMPATIBLE, bit);
                if (!name.isEmpty()) {
                    names.append(" (").append(name).append(')');
                }
            }
        }
        return names.toString();
    }

    private static Qcow2Exception unsupported(Path path, String why) {
        return new Qcow2Exception(Kind.UNSUPPORTED, path, why);
    }
}
