package io.qfuse.it;

import io.qfuse.fuse.Transport;
import io.qfuse.qcow2.OpenOptions;
import io.qfuse.qcow2.Passphrase;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * A kind of image that tests are run over, made by qemu-img.
 *
 * @param options of qemu-img create, such as {@code compat=1.1,cluster_size=64k}
 * @param size bytes of the disk, a multiple of 512
 * @param base what lies below it
 * @param content what the image itself holds at first
 */
record ImageRecipe(String options, int size, Base base, Content content) {

    /** What an image is backed by. */
    enum Base {
        NONE,
        /** A raw file with holes, a bit shorter than the image. */
        RAW,
        /** An image of compressed clusters above another image. */
        CHAIN
    }

    /** What an image holds at first. */
    enum Content {
        NOTHING,
        COMPRESSED,
        /** Data that an internal snapshot shares. */
        SNAPSHOT,
        /** Nothing, under a passphrase. */
        ENCRYPTED,
        /** Nothing, and a bitmap that records each changed sector. */
        BITMAP
    }

    /** The name of the bitmap of an image that has one. */
    static final String BITMAP = "kept";

    private static final String SECRET = "correct horse";

    private static final int MIB = 1 << 20;

    /** Every kind that a mounted disk could behave differently on, each small. */
    static List<ImageRecipe> matrix() {
        return List.of(
                new ImageRecipe("compat=1.1,cluster_size=64k", 12 * MIB, Base.NONE, Content.NOTHING),
                new ImageRecipe("compat=0.10,cluster_size=64k", 8 * MIB + 512, Base.RAW, Content.NOTHING),
                new ImageRecipe("compat=0.10,cluster_size=512", MIB, Base.NONE, Content.NOTHING),
                new ImageRecipe("compat=1.1,cluster_size=512,refcount_bits=64", MIB, Base.CHAIN, Content.NOTHING),
                new ImageRecipe("compat=1.1,cluster_size=2M", 17 * MIB, Base.RAW, Content.NOTHING),
                new ImageRecipe("compat=1.1,cluster_size=4k,refcount_bits=1", 4 * MIB, Base.CHAIN, Content.NOTHING),
                new ImageRecipe("compat=1.1,cluster_size=64k", 8 * MIB, Base.NONE, Content.COMPRESSED),
                new ImageRecipe(
                        "compat=1.1,cluster_size=16k,compression_type=zstd", 6 * MIB, Base.NONE, Content.COMPRESSED),
                new ImageRecipe("compat=1.1,cluster_size=64k,extended_l2=on", 12 * MIB, Base.RAW, Content.NOTHING),
                new ImageRecipe("compat=1.1,cluster_size=16k,extended_l2=on", 3 * MIB, Base.CHAIN, Content.NOTHING),
                new ImageRecipe("compat=1.1,cluster_size=64k,data_file=data", 8 * MIB, Base.RAW, Content.NOTHING),
                new ImageRecipe(
                        "compat=1.1,cluster_size=4k,data_file=data,data_file_raw=on",
                        4 * MIB,
                        Base.NONE,
                        Content.NOTHING),
                new ImageRecipe("compat=1.1,cluster_size=64k", 8 * MIB, Base.CHAIN, Content.SNAPSHOT),
                new ImageRecipe("compat=1.1,cluster_size=64k", 8 * MIB, Base.RAW, Content.ENCRYPTED),
                new ImageRecipe("compat=1.1,cluster_size=64k,extended_l2=on", 8 * MIB, Base.NONE, Content.ENCRYPTED));
    }

    /** Makes {@code disk.qcow2} and what lies below it in the test's directory. */
    Path create(Scratch scratch, Random random) throws IOException {
        QemuImg qemuImg = scratch.qemuImg();
        Path image = scratch.path("disk.qcow2");
        if (content == Content.COMPRESSED) {
            Path raw = Files.write(scratch.path("content.raw"), patches(size, random));
            qemuImg.ok("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, raw, image);
            return image;
        }
        switch (base) {
            case NONE -> make(scratch, image);
            case RAW -> {
                Path raw = Files.write(scratch.path("base.raw"), patches(size * 3 / 4 & -512, random));
                scratch.shell().run("fallocate", "--dig-holes", raw).ok();
                make(scratch, image, "-b", raw, "-F", "raw");
            }
            case CHAIN -> {
                Path middle = chain(scratch, random);
                make(scratch, image, "-b", middle, "-F", "qcow2");
            }
        }
        if (content == Content.SNAPSHOT) {
            scratch.qemuIo().on(image, "write -P 9 " + size / 3 + " " + size / 4);
            qemuImg.ok("snapshot", "-c", "kept", image);
        }
        if (content == Content.BITMAP) {
            addBitmap(scratch, image);
        }
        return image;
    }

    /** Adds a bitmap to an image that has none. */
    void addBitmap(Scratch scratch, Path image) {
        scratch.qemuImg().ok("bitmap", "--add", "-g", 512, image, BITMAP);
    }

    private void make(Scratch scratch, Path image, Object... more) throws IOException {
        List<Object> words = new ArrayList<>(List.of("create", "-q", "-f", "qcow2"));
        words.addAll(List.of(more));
        if (content != Content.ENCRYPTED) {
            words.addAll(List.of("-o", options, image, size));
            scratch.qemuImg().ok(words.toArray());
            return;
        }
        Files.writeString(scratch.path("secret"), SECRET);
        String encrypted = options + ",encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10";
        words.addAll(List.of("--object", "secret,id=s,file=secret", "-o", encrypted, image, size));
        Result made = scratch.qemuImg().run(words.toArray());
        for (int i = 0; i < 20 && made.err().contains("accurate CPU usage"); i++) {
            made = scratch.qemuImg().run(words.toArray());
        }
        made.ok();
    }

    /** Mounts the image for writing, by this process. */
    ServedHere serve(Path image, Path mountPoint, Transport transport) throws IOException {
        return ServedHere.serve(image, mountPoint, transport, open());
    }

    /** How the image is opened for writing. */
    OpenOptions open() {
        OpenOptions open = OpenOptions.readWrite();
        return content == Content.ENCRYPTED
                ? open.withPassphrase(Passphrase.of(SECRET.getBytes(StandardCharsets.US_ASCII)))
                : open;
    }

    /** The words by which {@code qfuse mount} opens the image, in the test's directory. */
    List<String> mountWords() {
        return content == Content.ENCRYPTED ? List.of("--passphrase-file=secret") : List.of();
    }

    /** Runs a verb of qemu-img on the image; it has to succeed. */
    Result qemuImg(Scratch scratch, String verb, Path image, Object... more) {
        List<Object> words = new ArrayList<>(List.of(verb));
        words.addAll(opened(image));
        words.addAll(List.of(more));
        return scratch.qemuImg().ok(words.toArray());
    }

    /** Runs commands of qemu-io on the image; they have to succeed. */
    void qemuIo(Scratch scratch, Path image, String... commands) {
        scratch.qemuIo().opened(opened(image), commands);
    }

    /** The disk as qemu-img reads it. */
    byte[] flat(Scratch scratch, Path image) throws IOException {
        Path raw = scratch.path("flat.raw");
        qemuImg(scratch, "convert", image, "-O", "raw", raw);
        return Files.readAllBytes(raw);
    }

    /** The words by which programs of qemu open the image. */
    private List<Object> opened(Path image) {
        return content == Content.ENCRYPTED
                ? List.of(
                        "--object",
                        "secret,id=s,file=secret",
                        "--image-opts",
                        "driver=qcow2,encrypt.key-secret=s,file.filename=" + image)
                : List.of("-f", "qcow2", image);
    }

    /** Zeroes, data and holes in the upper layer, compressed data in the lower one. */
    private Path chain(Scratch scratch, Random random) throws IOException {
        QemuImg qemuImg = scratch.qemuImg();
        Path raw = Files.write(scratch.path("content.raw"), patches(size, random));
        Path bottom = scratch.path("bottom.qcow2");
        qemuImg.ok("convert", "-c", "-f", "raw", "-O", "qcow2", raw, bottom);
        Path middle = scratch.path("middle.qcow2");
        qemuImg.ok("create", "-q", "-f", "qcow2", "-b", bottom, "-F", "qcow2", middle, size);
        int quarter = size / 4 & -4096;
        scratch.qemuIo().on(middle, "write -P 7 " + quarter + " 70000", "write -z " + 2L * quarter + " " + quarter);
        return middle;
    }

    /** Half random bytes that do and do not compress, half zeroes, in patches. */
    private static byte[] patches(int length, Random random) {
        byte[] bytes = new byte[length];
        int patch = Math.max(512, length / 40);
        for (int at = 0; at < length; at += patch) {
            byte[] some = new byte[Math.min(patch, length - at)];
            switch (random.nextInt(4)) {
                case 0 -> random.nextBytes(some);
                case 1 -> Arrays.fill(some, (byte) random.nextInt());
                default -> {}
            }
            System.arraycopy(some, 0, bytes, at, some.length);
        }
        return bytes;
    }

    @Override
    public String toString() {
        return options + " " + size + " base=" + base + " content=" + content;
    }
}
