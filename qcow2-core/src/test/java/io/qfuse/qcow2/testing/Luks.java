package io.qfuse.qcow2.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Encrypted images of qemu-img, whose passphrase lies in a file.
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

    /** Makes an image; {@code options} are qemu-img's without the secret, {@code more} what follows the image's name. */
    public void create(String options, Path image, Object... more) {
        String fast = options.contains("format=luks") ? ",encrypt.iter-time=10" : "";
        List<Object> words = new ArrayList<>(List.of("create", "-q", "--object", object(), "-f", "qcow2"));
        words.addAll(List.of("-o", "encrypt.key-secret=s" + fast + "," + options));
        List<Object> back = Arrays.asList(more);
        words.addAll(back.subList(0, back.size() - 1));
        words.addAll(List.of(image, back.get(back.size() - 1)));
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
