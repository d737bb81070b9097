package io.qfuse.qcow2;

import io.qfuse.qcow2.testing.Luks;
import io.qfuse.qcow2.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * A kind of image that qemu-img and we must agree on.
 *
 * @param clusterSize bytes of a cluster
 * @param refcountBits the width of refcounts
 * @param compat qemu's word for the version
 * @param extended whether clusters have subclusters
 * @param base what lies below
 * @param maker where the image comes from
 * @param encryption how guest data are stored
 */
record QemuKind(
        int clusterSize,
        int refcountBits,
        String compat,
        boolean extended,
        Base base,
        Maker maker,
        Encryption encryption) {

    /** How guest data are stored. */
    enum Encryption {
        NONE,
        /** AES-CBC under the passphrase itself. */
        LEGACY,
        /** AES-XTS, under a header of ours. */
        LUKS
    }

    /** A kind without encryption. */
    QemuKind(int clusterSize, int refcountBits, String compat, boolean extended, Base base, Maker maker) {
        this(clusterSize, refcountBits, compat, extended, base, maker, Encryption.NONE);
    }

    /** What lies below. */
    enum Base {
        NONE,
        RAW,
        /** A raw file that ends within a sector, well before the image. */
        SHORT_RAW,
        QCOW2,
        ZLIB,
        ZSTD
    }

    /** Where an image comes from. */
    enum Maker {
        QEMU,
        US,
        /** {@code qemu-img convert -c}. */
        ZLIB,
        ZSTD,
        /** Written to, then kept as an internal snapshot. */
        SNAPSHOT,
        /** With an external data file beside the image. */
        DATA_FILE,
        /** With one that is raw. */
        RAW_DATA_FILE,
        /** The same, made by us. */
        OUR_RAW_DATA_FILE
    }

    private static final String V2 = "0.10";
    private static final String V3 = "1.1";

    /** All kinds. Each property meets each cluster size; each base meets each version. */
    static List<QemuKind> all() {
        List<QemuKind> kinds = new ArrayList<>();
        for (int clusterSize : new int[] {512, 4 << 10, 64 << 10, 2 << 20}) {
            for (Base base : Base.values()) {
                kinds.add(new QemuKind(clusterSize, 16, V2, false, base, Maker.QEMU));
                kinds.add(new QemuKind(clusterSize, 16, V3, false, base, Maker.QEMU));
            }
            for (int refcountBits : new int[] {1, 64}) {
                kinds.add(new QemuKind(clusterSize, refcountBits, V3, false, Base.NONE, Maker.QEMU));
                kinds.add(new QemuKind(clusterSize, refcountBits, V3, false, Base.QCOW2, Maker.US));
            }
            for (Maker maker : new Maker[] {Maker.ZLIB, Maker.SNAPSHOT, Maker.US}) {
                kinds.add(new QemuKind(clusterSize, 16, V2, false, Base.NONE, maker));
                kinds.add(new QemuKind(clusterSize, 16, V3, false, Base.NONE, maker));
            }
            for (boolean extended : new boolean[] {false, clusterSize >= 16 << 10}) {
                kinds.add(new QemuKind(clusterSize, 16, V3, extended, Base.NONE, Maker.DATA_FILE));
                kinds.add(new QemuKind(clusterSize, 16, V3, extended, Base.SHORT_RAW, Maker.DATA_FILE));
                kinds.add(new QemuKind(clusterSize, 16, V3, extended, Base.NONE, Maker.RAW_DATA_FILE));
                kinds.add(new QemuKind(clusterSize, 16, V3, extended, Base.NONE, Maker.OUR_RAW_DATA_FILE));
            }
            kinds.add(new QemuKind(clusterSize, 64, V3, false, Base.NONE, Maker.ZSTD));
            kinds.add(new QemuKind(clusterSize, 2, V3, false, Base.ZLIB, Maker.SNAPSHOT));
        }
        for (int refcountBits : new int[] {2, 4, 8, 32}) {
            kinds.add(new QemuKind(4 << 10, refcountBits, V3, false, Base.RAW, Maker.QEMU));
        }
        for (int clusterSize : new int[] {16 << 10, 64 << 10, 2 << 20}) {
            kinds.add(new QemuKind(clusterSize, 16, V3, true, Base.NONE, Maker.US));
            kinds.add(new QemuKind(clusterSize, 16, V3, true, Base.SHORT_RAW, Maker.QEMU));
            kinds.add(new QemuKind(clusterSize, 1, V3, true, Base.QCOW2, Maker.QEMU));
            kinds.add(new QemuKind(clusterSize, 16, V3, true, Base.NONE, Maker.ZLIB));
            kinds.add(new QemuKind(clusterSize, 16, V3, true, Base.RAW, Maker.SNAPSHOT));
        }
        for (Encryption encryption : new Encryption[] {Encryption.LEGACY, Encryption.LUKS}) {
            kinds.add(new QemuKind(512, 16, V2, false, Base.NONE, Maker.QEMU, encryption));
            kinds.add(new QemuKind(4 << 10, 64, V3, false, Base.ZLIB, Maker.SNAPSHOT, encryption));
            kinds.add(new QemuKind(16 << 10, 16, V3, true, Base.SHORT_RAW, Maker.QEMU, encryption));
            kinds.add(new QemuKind(64 << 10, 1, V3, true, Base.QCOW2, Maker.US, encryption));
            kinds.add(new QemuKind(64 << 10, 16, V3, false, Base.SHORT_RAW, Maker.DATA_FILE, encryption));
            kinds.add(new QemuKind(64 << 10, 16, V3, true, Base.NONE, Maker.DATA_FILE, encryption));
            kinds.add(new QemuKind(4 << 10, 16, V3, false, Base.NONE, Maker.RAW_DATA_FILE, encryption));
            kinds.add(new QemuKind(64 << 10, 16, V3, true, Base.NONE, Maker.RAW_DATA_FILE, encryption));
            kinds.add(new QemuKind(2 << 20, 16, V3, false, Base.RAW, Maker.SNAPSHOT, encryption));
        }
        return kinds;
    }

    /** A virtual size of some clusters, the last of them not whole. */
    int size() {
        return (clusterSize > 1 << 20 ? 7 << 20 : 2 << 20) + 3 * 512;
    }

    /** The bytes of what lies below, or of a converted image: data, data that compress well, and zeroes. */
    static byte[] content(int size) {
        byte[] bytes = new byte[size];
        Random random = new Random(size);
        for (int at = 0; at < size; ) {
            int length = Math.min(size - at, 1 + random.nextInt(100_000));
            switch (random.nextInt(3)) {
                case 0 -> {
                    byte[] noise = new byte[length];
                    random.nextBytes(noise);
                    System.arraycopy(noise, 0, bytes, at, length);
                }
                case 1 -> {
                    for (int i = at; i < at + length; i++) {
                        bytes[i] = (byte) (i / 1000 + 1);
                    }
                }
                default -> {}
            }
            at += length;
        }
        return bytes;
    }

    /** How many of the image's bytes the base holds. */
    int baseLength() {
        return switch (base) {
            case NONE -> 0;
            case SHORT_RAW -> size() * 2 / 3 / 512 * 512 + 137;
            default -> size();
        };
    }

    /** The base's file below a directory, made there if it is not yet. */
    Path makeBase(Path directory) throws IOException {
        Path raw = directory.resolve("raw-" + baseLength());
        if (!Files.exists(raw)) {
            Files.write(raw, content(baseLength()));
        }
        if (baseFormat().equals("raw")) {
            return raw;
        }
        int otherSize = clusterSize == 64 << 10 ? 4 << 10 : 64 << 10;
        Path qcow2 = directory.resolve(base + "-" + baseLength() + "-" + otherSize);
        if (!Files.exists(qcow2)) {
            String options = "cluster_size=" + otherSize + (base == Base.ZSTD ? ",compression_type=zstd" : "");
            if (base == Base.QCOW2) {
                QemuImg.run("convert", "-f", "raw", "-O", "qcow2", "-o", options, raw, qcow2);
            } else {
                QemuImg.run("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, raw, qcow2);
            }
        }
        return qcow2;
    }

    private String baseFormat() {
        return base == Base.RAW || base == Base.SHORT_RAW ? "raw" : "qcow2";
    }

    /** Makes the image. */
    void make(Path image, Path bases) throws IOException {
        makePlain(image, bases);
        switch (encryption) {
            case NONE -> {}
            case LEGACY -> luks(bases).encrypt(image);
            case LUKS -> luks(bases).encrypt(image, "aes", "xts-plain64", "sha256", 32);
        }
    }

    private static Luks luks(Path bases) throws IOException {
        return Luks.with(bases, TestDisk.PASSPHRASE);
    }

    /** The words by which qemu's programs open the image. */
    List<Object> opened(Path image, Path bases) throws IOException {
        return encryption == Encryption.NONE ? List.of(image) : luks(bases).opened(image);
    }

    private void makePlain(Path image, Path bases) throws IOException {
        List<Object> words = new ArrayList<>();
        if (maker == Maker.US) {
            CreateOptions options = CreateOptions.parse(List.of(options())).withSize(size());
            ImageCreator.create(
                    image,
                    base == Base.NONE
                            ? options
                            : options.withBacking(makeBase(bases).toString(), baseFormat()));
        } else if (maker == Maker.OUR_RAW_DATA_FILE) {
            String data = ",data_file_raw=on,data_file=" + dataFile(image);
            ImageCreator.create(
                    image, CreateOptions.parse(List.of(options() + data)).withSize(size()));
        } else if (maker == Maker.ZLIB || maker == Maker.ZSTD) {
            Path raw = bases.resolve("raw-" + size());
            if (!Files.exists(raw)) {
                Files.write(raw, content(size()));
            }
            words.addAll(List.of("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options(), raw, image));
            QemuImg.run(words.toArray());
        } else {
            String data = switch (maker) {
                case DATA_FILE -> ",data_file=" + dataFile(image);
                case RAW_DATA_FILE -> ",data_file_raw=on,data_file=" + dataFile(image);
                default -> "";
            };
            words.addAll(List.of("create", "-q", "-f", "qcow2", "-o", options() + data));
            if (base != Base.NONE) {
                words.addAll(List.of("-b", makeBase(bases), "-F", baseFormat()));
            }
            words.addAll(List.of(image, size()));
            QemuImg.run(words.toArray());
        }
    }

    /** The external data file of an image that has one. */
    static Path dataFile(Path image) {
        return image.resolveSibling("data.raw");
    }

    private String options() {
        return "cluster_size=" + clusterSize + ",compat=" + compat
                + (compat.equals(V3) ? ",refcount_bits=" + refcountBits : "")
                + (extended ? ",extended_l2=on" : "")
                + (maker == Maker.ZSTD ? ",compression_type=zstd" : "");
    }

    /** What the new image reads as. */
    byte[] expected() {
        byte[] bytes = new byte[size()];
        if (maker == Maker.ZLIB || maker == Maker.ZSTD) {
            return content(size());
        }
        System.arraycopy(content(baseLength()), 0, bytes, 0, baseLength());
        return bytes;
    }

    /** Whether the data file is the disk, byte for byte. */
    boolean isDiskInDataFile() {
        return encryption == Encryption.NONE && (maker == Maker.RAW_DATA_FILE || maker == Maker.OUR_RAW_DATA_FILE);
    }

    /** Whether the new image reads as the noise that its zeroes are decrypted to: a raw data file is all allocated. */
    boolean isNoise() {
        return encryption != Encryption.NONE && maker == Maker.RAW_DATA_FILE;
    }

    /** Whether the virtual size of such an image can be changed. */
    boolean resizable() {
        return maker != Maker.SNAPSHOT || compat.equals(V3);
    }
}
