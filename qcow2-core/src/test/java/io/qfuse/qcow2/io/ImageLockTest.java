package io.qfuse.qcow2.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.io.ImageLock.Mode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ImageLockTest {

    @TempDir
    Path dir;

    private Path image;

    @BeforeEach
    void createImage() throws IOException {
        image = Files.write(dir.resolve("image"), new byte[1024]);
    }

    @ParameterizedTest
    @CsvSource({
        "WRITE, WRITE, false",
        "WRITE, READ, false",
        "READ, WRITE, false",
        "READ, READ, true",
        "WRITE, SHARED_READ, true",
        "SHARED_READ, WRITE, true",
        "SHARED_READ, READ, true"
    })
    void second_open_is_let_in_only_where_no_writer_is_in_the_way(Mode first, Mode second, boolean allowed)
            throws IOException {
        try (NativeHostFile one = NativeHostFile.open(image, first == Mode.WRITE);
                NativeHostFile two = NativeHostFile.open(image, second == Mode.WRITE)) {
            ImageLock held = ImageLock.acquire(one, first);
            if (allowed) {
                ImageLock.acquire(two, second).close();
            } else {
                assertThatThrownBy(() -> ImageLock.acquire(two, second))
                        .isInstanceOf(Qcow2Exception.class)
                        .hasMessageContaining("cannot get the \"write\" lock")
                        .extracting(e -> ((Qcow2Exception) e).kind())
                        .isEqualTo(Qcow2Exception.Kind.LOCKED);
            }
            held.close();
            ImageLock.acquire(two, second).close();
        }
    }

    @Test
    void refused_open_leaves_no_lock_behind() throws IOException {
        try (NativeHostFile one = NativeHostFile.open(image, true);
                NativeHostFile two = NativeHostFile.open(image, false);
                NativeHostFile three = NativeHostFile.open(image, true)) {
            try (ImageLock held = ImageLock.acquire(one, Mode.WRITE)) {
                assertThat(held).isNotNull();
                assertThatThrownBy(() -> ImageLock.acquire(two, Mode.READ)).isInstanceOf(Qcow2Exception.class);
            }
            ImageLock.acquire(three, Mode.WRITE).close();
        }
    }

    @Test
    void closing_another_descriptor_of_the_file_keeps_the_lock() throws IOException {
        try (NativeHostFile one = NativeHostFile.open(image, true);
                ImageLock held = ImageLock.acquire(one, Mode.WRITE)) {
            assertThat(held).isNotNull();
            NativeHostFile.open(image, true).close();
            try (NativeHostFile two = NativeHostFile.open(image, true)) {
                assertThatThrownBy(() -> ImageLock.acquire(two, Mode.WRITE)).isInstanceOf(Qcow2Exception.class);
            }
        }
    }

    @Test
    @Tag("system")
    void qemu_stays_out_of_what_we_hold() throws Exception {
        qemu("qemu-img", "create", "-q", "-f", "qcow2", image.toString(), "1M");
        try (NativeHostFile file = NativeHostFile.open(image, true)) {
            try (ImageLock held = ImageLock.acquire(file, Mode.WRITE)) {
                assertThat(held).isNotNull();
                assertThat(qemuIo("-c", "write 0 4k")).contains("Failed to get \"write\" lock");
                assertThat(qemuIo("-r", "-c", "read 0 4k")).contains("Failed to get shared \"write\" lock");
                assertThat(qemuIo("-r", "-U", "-c", "read 0 4k")).contains("4 KiB");
            }
            try (ImageLock held = ImageLock.acquire(file, Mode.READ)) {
                assertThat(held).isNotNull();
                assertThat(qemuIo("-c", "write 0 4k")).contains("Failed to get \"write\" lock");
                assertThat(qemuIo("-r", "-c", "read 0 4k")).contains("4 KiB");
            }
            assertThat(qemuIo("-c", "write 0 4k")).contains("wrote 4096");
        }
    }

    @Test
    @Tag("system")
    void we_stay_out_of_what_qemu_holds() throws Exception {
        qemu("qemu-img", "create", "-q", "-f", "qcow2", image.toString(), "1M");
        Process io = new ProcessBuilder("qemu-io", "-f", "qcow2", image.toString())
                .redirectErrorStream(true)
                .start();
        try (NativeHostFile file = NativeHostFile.open(image, true);
                BufferedReader output =
                        new BufferedReader(new InputStreamReader(io.getInputStream(), StandardCharsets.UTF_8))) {
            io.getOutputStream().write("read 0 512\n".getBytes(StandardCharsets.US_ASCII));
            io.getOutputStream().flush();
            assertThat(output.readLine()).contains("read 512"); // it has the image open now
            for (Mode mode : new Mode[] {Mode.WRITE, Mode.READ}) {
                assertThatThrownBy(() -> ImageLock.acquire(file, mode))
                        .isInstanceOf(Qcow2Exception.class)
                        .hasMessageContaining("\"write\" lock");
            }
            ImageLock.acquire(file, Mode.SHARED_READ).close();
            io.getOutputStream().close();
            io.waitFor();
            ImageLock.acquire(file, Mode.WRITE).close();
        } finally {
            io.destroyForcibly().waitFor();
        }
    }

    private String qemuIo(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of("qemu-io", "-f", "qcow2"));
        command.addAll(List.of(arguments));
        command.add(image.toString());
        return qemu(command.toArray(String[]::new));
    }

    private static String qemu(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        process.waitFor();
        return output;
    }
}
