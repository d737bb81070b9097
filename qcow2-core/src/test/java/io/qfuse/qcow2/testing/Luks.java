package io.qfuse.qcow2.testing;

import io.qfuse.qcow2.crypto.LuksArea;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderCodec;
import io.qfuse.qcow2.format.HeaderExtension;
import io.qfuse.qcow2.io.HeaderReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Encrypted images that qemu opens by a passphrase that lies in a file.
 *
 * @param secret the file
 */
public record Luks(Path secret) {

    /** How often qemu-img may fail to measure its own time, which it needs to choose the iterations of a key slot. */
    private static final int TRIES = 20;

    /** Stores a passphrase below a directory. */
    public static Luks with(Path directory, String passphrase) throws IOException {
        return new Luks(Files.writeString(directory.resolve("secret"), passphrase));
    }

    /**
     * Makes an image as {@link #createByQemu} does, but for the LUKS header, which is ours: qemu-img measures the processor for
     * seconds to make one. What is not about the encryption is still made by it.
     */
    public void create(String options, Path image, Object... more) throws IOException {
        Map<String, String> encryption = new HashMap<>();
        List<String> others = new ArrayList<>();
        for (String option : options.split(",", -1)) {
            if (option.startsWith("encrypt.")) {
                String[] words = option.substring("encrypt.".length()).split("=", 2);
                encryption.put(words[0], words[1]);
            } else {
                others.add(option);
            }
        }
        List<Object> words = new ArrayList<>(List.of("create", "-q", "-f", "qcow2"));
        if (!others.isEmpty()) {
            words.addAll(List.of("-o", String.join(",", others)));
        }
        words.addAll(arranged(image, more));
        QemuImg.run(words.toArray());
        if ("aes".equals(encryption.get("format"))) {
            encrypt(image);
            return;
        }
        String[] cipher = encryption.getOrDefault("cipher-alg", "aes-256").split("-", 2);
        String mode = encryption.getOrDefault("cipher-mode", "xts");
        int keyBytes = Integer.parseInt(cipher[1]) / Byte.SIZE * (mode.equals("xts") ? 2 : 1);
        String ivHash = encryption.containsKey("ivgen-hash-alg") ? ":" + encryption.get("ivgen-hash-alg") : "";
        String vector = encryption.getOrDefault("ivgen-alg", "plain64") + ivHash;
        encrypt(image, cipher[0], mode + "-" + vector, encryption.getOrDefault("hash-alg", "sha256"), keyBytes);
    }

    /** qemu-img's words for an image's name and what stands before it and behind. */
    private static List<Object> arranged(Path image, Object... more) {
        List<Object> words = new ArrayList<>(Arrays.asList(more).subList(0, more.length - 1));
        words.addAll(List.of(image, more[more.length - 1]));
        return words;
    }

    /** Gives an image that holds nothing yet the legacy encryption. */
    public void encrypt(Path image) throws IOException {
        MemoryHostFile file = MemoryHostFile.of(image);
        rewriteHeader(file, new byte[0]);
        file.saveTo(image);
    }

    /**
     * Gives an image that holds nothing yet a LUKS header, behind all else; its clusters are counted by qemu-img.
     *
     * @param mode as LUKS headers have it
     */
    public void encrypt(Path image, String cipher, String mode, String hash, int keyBytes) throws IOException {
        byte[] area = LuksArea.createWhole(cipher, mode, hash, keyBytes, Files.readAllBytes(secret));
        MemoryHostFile file = MemoryHostFile.of(image);
        long place = HeaderReader.read(file).geometry().clusterCeiling(file.size());
        file.write(place, area, 0, area.length);
        rewriteHeader(
                file,
                ByteBuffer.allocate(16).putLong(place).putLong(area.length).array());
        file.saveTo(image);
        QemuImg.run("check", "-q", "-r", "all", "--object", object(), "--image-opts", options(image, false));
    }

    /** Makes the header name LUKS, with an extension, or the legacy encryption, where the extension is empty. */
    public static void rewriteHeader(MemoryHostFile file, byte[] extension) throws IOException {
        Header header = HeaderReader.read(file);
        List<HeaderExtension> extensions = new ArrayList<>(header.extensions());
        if (extension.length > 0) {
            extensions.add(new HeaderExtension(HeaderExtension.CRYPTO, extension));
        }
        Header encrypted = new Header(
                header.version(),
                header.clusterBits(),
                header.size(),
                extension.length > 0 ? Header.CRYPT_LUKS : Header.CRYPT_AES,
                header.l1Size(),
                header.l1Offset(),
                header.refcountTableOffset(),
                header.refcountTableClusters(),
                0,
                0,
                header.incompatible(),
                header.compatible(),
                header.autoclear(),
                header.refcountOrder(),
                header.headerLength(),
                header.compressionType(),
                extensions,
                header.backingFile());
        byte[] bytes = HeaderCodec.encode(encrypted, file.path());
        file.write(0, bytes, 0, bytes.length);
    }

    /** Makes an image; {@code options} are qemu-img's without the secret, {@code more} what follows the image's name. */
    public void createByQemu(String options, Path image, Object... more) {
        String fast = options.contains("format=luks") ? ",encrypt.iter-time=10" : "";
        List<Object> words = new ArrayList<>(List.of("create", "-q", "--object", object(), "-f", "qcow2"));
        words.addAll(List.of("-o", "encrypt.key-secret=s" + fast + "," + options));
        words.addAll(arranged(image, more));
        for (int i = 1; ; i++) {
            try {
                QemuImg.run(words.toArray());
                return;
            } catch (AssertionError e) {
                if (i == TRIES || !String.valueOf(e.getMessage()).contains("accurate CPU usage")) {
                    throw e;
                }
            }
        }
    }

    /** The options that let qemu-img and qemu-io open such an image and an encrypted one below it. */
    public String options(Path image, boolean encryptedBase) {
        return "driver=qcow2,encrypt.key-secret=s,file.filename=" + image
                + (encryptedBase ? ",backing.encrypt.key-secret=s" : "");
    }

    /** The words by which qemu's programs open the image. */
    public List<Object> opened(Path image) {
        return List.of("--object", object(), "--image-opts", options(image, false));
    }

    /** The words that give the secret. */
    public String object() {
        return "secret,id=s,file=" + secret;
    }

    /** What qemu reads. */
    public byte[] read(Path image, boolean encryptedBase, Object... words) throws IOException {
        Path raw = image.resolveSibling(image.getFileName() + ".raw");
        List<Object> all = new ArrayList<>(List.of("convert", "--object", object(), "--image-opts", "-O", "raw"));
        all.addAll(Arrays.asList(words));
        all.addAll(List.of(options(image, encryptedBase), raw));
        QemuImg.run(all.toArray());
        byte[] bytes = Files.readAllBytes(raw);
        Files.delete(raw);
        return bytes;
    }

    /** Runs commands of qemu-io. */
    public void io(Path image, boolean encryptedBase, String... commands) {
        QemuImg.io(List.of("--object", object(), "--image-opts"), options(image, encryptedBase), commands);
    }

    /** Fails where the image has a fault. */
    public void check(Path image, boolean encryptedBase) {
        QemuImg.run("check", "-q", "--object", object(), "--image-opts", options(image, encryptedBase));
    }
}
