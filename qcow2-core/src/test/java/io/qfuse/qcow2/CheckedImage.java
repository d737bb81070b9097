package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** What qemu-img check says of an image that a test holds. */
final class CheckedImage {

    private static final int LEAKS = 3;

    private CheckedImage() {}

    static void requireClean(HostFile file) throws IOException {
        assertThat(check(file, "image")).isZero();
    }

    static void requireLeaksAtWorst(HostFile file, String what) throws IOException {
        assertThat(check(file, what)).as(what).isIn(0, LEAKS);
    }

    private static int check(HostFile file, String what) throws IOException {
        Path folder = Files.createTempDirectory("qfuse-check");
        Path image = folder.resolve("image.qcow2");
        Path base = folder.resolve("base.raw");
        try {
            byte[] bytes = new byte[Math.toIntExact(file.size())];
            file.read(0, bytes);
            Files.write(image, bytes);
            Files.createFile(base);
            Process check = new ProcessBuilder("qemu-img", "check", "-f", "qcow2", image.toString())
                    .redirectErrorStream(true)
                    .start();
            String said = new String(check.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            int exit = check.waitFor();
            assertThat(exit).as("%s: %s", what, said).isNotEqualTo(1);
            return exit;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        } finally {
            Files.deleteIfExists(image);
            Files.deleteIfExists(base);
            Files.delete(folder);
        }
    }
}
