package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.testing.Luks;
import io.qfuse.qcow2.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ImageInfoTest {

    @TempDir
    private Path directory;

    @Test
    void an_image_is_described_in_words_and_in_json() throws IOException {
        Path path = directory.resolve("a\"b.qcow2");
        Files.write(directory.resolve("base"), new byte[512]);
        CreateOptions options = CreateOptions.parse(List.of("size=1M,lazy_refcounts=on,compression_type=zstd"));
        ImageCreator.create(path, options.withBacking("base", "raw"));
        ImageInfo info = ImageInfo.read(path);
        assertThat(info.text())
                .startsWith("image: " + path + "\nfile format: qcow2\nvirtual size: 1 MiB (1048576 bytes)\n")
                .contains("backing file: base (actual path: " + directory.resolve("base") + ")\n")
                .contains("Format specific information:\n    compat: 1.1\n    compression type: zstd\n")
                .contains("    lazy refcounts: true\n");
        assertThat(info.json())
                .contains("\"virtual-size\": 1048576,")
                .contains("a\\\"b.qcow2\"")
                .contains("\"full-backing-filename\": \"" + directory.resolve("base") + "\"")
                .contains("\"lazy-refcounts\": true");
    }

    @Test
    void the_backing_file_is_not_opened() throws IOException {
        Path path = directory.resolve("a");
        Path base = Files.createFile(directory.resolve("base"));
        ImageCreator.create(path, CreateOptions.ofSize(512).withBacking("base", "raw"));
        Files.delete(base);
        assertThat(ImageInfo.read(path).header().backingFile()).isEqualTo("base");
    }

    @Test
    void a_file_that_is_no_image_is_refused() throws IOException {
        Path path = Files.write(directory.resolve("a"), new byte[4096]);
        assertThatThrownBy(() -> ImageInfo.read(path))
                .hasMessage(path + ": not a qcow2 image: it starts with 00000000, not 514649fb");
    }

    @Tag("system")
    @Test
    void it_says_what_qemu_img_says() throws IOException {
        Path base = directory.resolve("base");
        Path path = directory.resolve("a");
        for (String options : List.of(
                "compat=0.10",
                "compat=1.1,lazy_refcounts=on,refcount_bits=64",
                "cluster_size=2M,compression_type=zstd",
                "extended_l2=on",
                "data_file=" + directory.resolve("data") + ",data_file_raw=on",
                "encrypt.format=aes,encrypt.key-secret=s")) {
            QemuImg.run("create", "--object", "secret,id=s,data=x", "-f", "qcow2", "-o", options, path, "1536M");
            assertSameAsQemu(path);
        }
        for (String options : List.of(
                "encrypt.format=luks",
                "encrypt.format=luks,encrypt.cipher-alg=serpent-256,encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv,"
                        + "encrypt.ivgen-hash-alg=sha256",
                "encrypt.format=luks,encrypt.cipher-alg=cast5-128,encrypt.cipher-mode=cbc,encrypt.hash-alg=sha1,"
                        + "encrypt.ivgen-alg=plain,encrypt.ivgen-hash-alg=md5")) {
            Luks.with(directory, "x").createByQemu(options, path, "1M");
            assertSameAsQemu(path);
        }
        QemuImg.run("create", "-f", "qcow2", base, "100001");
        QemuImg.run("create", "-f", "qcow2", "-b", "./base", "-F", "qcow2", path);
        QemuImg.run("snapshot", "-c", "first", path);
        QemuImg.run("snapshot", "-c", "second one", path);
        QemuImg.run("bitmap", "--add", path, "b0");
        QemuImg.run("bitmap", "--add", "--disable", "-g", "512", path, "b1");
        assertSameAsQemu(path);
    }

    private static void assertSameAsQemu(Path path) {
        try {
            ImageInfo info = ImageInfo.read(path);
            assertThat(sortedLines(info.json())).isEqualTo(sortedLines(QemuImg.run("info", "--output=json", path)));
            assertThat(info.text()).isEqualTo(QemuImg.run("info", path));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** The order of fields means nothing, and decides where the commas are. */
    private static List<String> sortedLines(String json) {
        return Arrays.stream(json.split("\n", -1))
                .map(line -> line.endsWith(",") ? line.substring(0, line.length() - 1) : line)
                .sorted()
                .toList();
    }
}
