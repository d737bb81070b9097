package io.qfuse.qcow2.testing;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;
import java.util.zip.GZIPInputStream;

/**
 * Small images that QEMU made, one of each kind that the format has, and the bytes that a guest sees in them. The script
 * beside them makes them again.
 */
public final class Specimen {

    private static final int BASE_LENGTH = 200_000;

    /** Version 3, with zero clusters of both kinds. */
    public static final Specimen V3 = new Specimen("v3", ".*", Part.of(0, 8, 4), Part.of(0, 16, 4), Part.of(0, 24, 4));
    /** With subclusters. */
    public static final Specimen EXTENDED =
            new Specimen("extended", "L2.*|cluster_bits|incompatible_features", Part.of(0, 8, 4), Part.of(0, 16, 16));
    /** With clusters compressed by deflate. */
    public static final Specimen DEFLATE = new Specimen("deflate", "L2.*|compression_type");
    /** With clusters compressed by zstd. */
    public static final Specimen ZSTD = new Specimen("zstd", "L2.*|compression_type");
    /** With internal snapshots 1 ("first") and 2 ("second"). */
    public static final Specimen SNAPSHOTS =
            new Specimen("snapshots", ".*snapshot.*|L1.*|.*refcount.*", Part.of(5, 4, 4), Part.of(6, 100, 1));
    /** With persistent bitmaps, one that tracks writes and one that does not. */
    public static final Specimen BITMAPS = new Specimen("bitmaps", ".*bitmap.*|.*extension.*", Part.of(5, 4, 4));
    /** Over {@link #base}. */
    public static final Specimen BACKED = new Specimen("backed", "backing.*|L2.*|.*extension.*");

    private static final List<Specimen> ALL = List.of(
            new Specimen("v2", "version|size|.*snapshots.*|L2.*|.*extension.*|refcount_order"),
            V3,
            new Specimen("v3-lazy", ".*features"),
            new Specimen("v3-1bit", ".*refcount.*"),
            new Specimen("v3-64bit", ".*refcount.*"),
            EXTENDED,
            DEFLATE,
            ZSTD,
            SNAPSHOTS,
            BITMAPS,
            BACKED);

    private final String name;
    private final Pattern special;
    private final byte[] packed;
    private final byte[] model;

    private Specimen(String name, String special, Part... changes) {
        this.name = name;
        this.special = Pattern.compile(special);
        this.packed = unpack(name);
        this.model = name.equals("backed") ? overBase() : common(name.equals("extended") ? 1 << 20 : 256 << 10);
        for (Part change : changes) {
            fill(model, change.value, change.offset, change.length);
        }
    }

    /** Whether a field means something in this image that it does not mean in others. */
    public boolean isSpecial(String field) {
        return special.matcher(field).matches();
    }

    /** One of each kind. */
    public static List<Specimen> all() {
        return ALL;
    }

    @Override
    public String toString() {
        return name;
    }

    private record Part(int value, int offset, int length) {

        static Part of(int value, int kib, int length) {
            return new Part(value, kib << 10, length << 10);
        }
    }

    /** A copy of the image. */
    public MemoryHostFile file() {
        MemoryHostFile file = new MemoryHostFile("image.qcow2");
        file.write(0, packed, 0, packed.length);
        return file;
    }

    /** What a guest sees. */
    public byte[] model() {
        return model.clone();
    }

    /** The raw file, {@code base.raw}, that {@link #BACKED} names. */
    public static MemoryHostFile base() {
        MemoryHostFile file = new MemoryHostFile("base.raw");
        file.write(0, baseBytes(), 0, BASE_LENGTH);
        return file;
    }

    /** The ids of the internal snapshots. */
    public List<String> snapshots() {
        return this == SNAPSHOTS ? List.of("1", "2") : List.of();
    }

    private static byte[] baseBytes() {
        byte[] bytes = new byte[BASE_LENGTH];
        Arrays.fill(bytes, (byte) 7);
        return bytes;
    }

    private static byte[] common(int size) {
        byte[] bytes = new byte[size];
        fill(bytes, 1, 0, 40 << 10);
        fill(bytes, 2, 40 << 10, 8 << 10);
        fill(bytes, 3, 100 << 10, 3000);
        fill(bytes, 4, 200 << 10, 512);
        return bytes;
    }

    private static byte[] overBase() {
        byte[] bytes = Arrays.copyOf(baseBytes(), 256 << 10);
        fill(bytes, 1, 0, 40 << 10);
        fill(bytes, 5, 100 << 10, 3000);
        fill(bytes, 0, 8 << 10, 4 << 10);
        return bytes;
    }

    private static void fill(byte[] bytes, int value, int offset, int length) {
        Arrays.fill(bytes, offset, offset + length, (byte) value);
    }

    private static byte[] unpack(String name) {
        String resource = "/io/qfuse/qcow2/specimens/" + name + ".qcow2.gz";
        try (InputStream in = Objects.requireNonNull(Specimen.class.getResourceAsStream(resource), resource)) {
            return new GZIPInputStream(in).readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(resource, e);
        }
    }
}
