package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.crypto.LuksArea;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.RefcountWidth;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.Luks;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Disks of encrypted images, made without qemu. */
final class EncryptedDiskTest {

    private static final int SIZE = 512 * 3001;

    @TempDir
    private Path directory;

    /**
     * A kind of image and its encryption.
     *
     * @param mode as a LUKS header has it, for AES; empty for the legacy encryption
     */
    record Kind(ImageKind image, String mode, int keyBytes) {

        /** A fresh image. */
        MemoryHostFile create() throws IOException {
            return create(SIZE);
        }

        MemoryHostFile create(int size) throws IOException {
            MemoryHostFile file = image.create(size);
            Header header = HeaderReader.read(file);
            byte[] extension = {};
            if (!mode.isEmpty()) {
                byte[] secret = TestDisk.PASSPHRASE.getBytes(StandardCharsets.US_ASCII);
                byte[] area = LuksArea.create("aes", mode, "sha256", keyBytes, secret);
                long place = append(file, header.geometry(), area);
                extension = ByteBuffer.allocate(16)
                        .putLong(place)
                        .putLong(area.length)
                        .array();
            }
            Luks.rewriteHeader(file, extension);
            return file;
        }

        private static long append(MemoryHostFile file, Geometry geometry, byte[] area) {
            long place = geometry.clusterCeiling(file.size());
            file.write(place, area, 0, area.length);
            byte[] block = file.bytes(2L * geometry.clusterSize(), geometry.clusterSize());
            int first = (int) geometry.clusterIndex(place);
            for (int i = 0; i < geometry.clustersFor(area.length); i++) {
                new RefcountWidth(geometry.refcountOrder()).set(block, first + i, 1);
            }
            file.write(2L * geometry.clusterSize(), block, 0, block.length);
            return place;
        }
    }

    static List<Kind> kinds() {
        return List.of(
                new Kind(new ImageKind(2, 9, 4, false), "", 16),
                new Kind(new ImageKind(3, 16, 4, true, true), "", 16),
                new Kind(new ImageKind(3, 9, 4, true), "cbc-essiv:sha256", 16),
                new Kind(new ImageKind(3, 12, 0, true), "xts-plain64", 64),
                new Kind(new ImageKind(3, 14, 4, false, true), "xts-plain64", 64),
                new Kind(new ImageKind(2, 16, 4, true), "cbc-plain64", 32),
                new Kind(new ImageKind(3, 21, 6, false), "xts-plain64", 32));
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void any_operations_leave_what_a_plain_array_holds_and_a_clean_image(Kind kind) throws IOException {
        long seed = kind.hashCode();
        try (TestDisk disk = new TestDisk(kind.image(), kind.create(), SIZE)) {
            RandomOperationsTest.run(disk, new Random(seed));
        } catch (IOException | RuntimeException | AssertionError e) {
            throw new AssertionError(kind + ", seed " + seed, e);
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void the_file_holds_nothing_that_was_written_as_it_is(Kind kind) throws IOException {
        MemoryHostFile file = kind.create();
        byte[] written = new byte[100_000];
        Arrays.fill(written, (byte) 'x');
        try (TestDisk disk = new TestDisk(kind.image(), file, SIZE)) {
            disk.write(1000, written);
        }
        byte[] all = file.bytes(0, (int) file.size());
        for (int at = 0; at < all.length; at += 16) {
            assertThat(Arrays.mismatch(all, at, at + 16, written, 0, 16))
                    .as("block at %d", at)
                    .isNotNegative();
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void writes_into_one_sector_at_once_keep_each_others_bytes(Kind kind) throws Exception {
        int threads = 4;
        int length = 70;
        int area = threads * length * 40;
        MemoryHostFile file = kind.create();
        byte[] model = new byte[area];
        try (TestDisk test = new TestDisk(kind.image(), file, SIZE)) {
            Disk disk = test.disk();
            ConcurrentLinkedQueue<Throwable> failures = new ConcurrentLinkedQueue<>();
            Thread[] running = new Thread[threads];
            for (int t = 0; t < threads; t++) {
                int mine = t;
                running[t] = new Thread(() -> {
                    try {
                        writeStripes(disk, mine, threads, length, model);
                    } catch (IOException | RuntimeException e) {
                        failures.add(e);
                    }
                });
                running[t].start();
            }
            for (Thread thread : running) {
                thread.join();
            }
            assertThat(failures).isEmpty();
            try (NativeBuffer buffer = NativeBuffer.allocate(area)) {
                assertThat(Arrays.mismatch(TestDisk.read(disk, 0, area, buffer), model))
                        .as("first byte that somebody else destroyed")
                        .isEqualTo(-1);
            }
        }
    }

    /** Writes every so many bytes of the beginning, several times; the bytes of the array that it changes are its own. */
    private static void writeStripes(Disk disk, int mine, int all, int length, byte[] model) throws IOException {
        Random random = new Random(mine);
        byte[] bytes = new byte[length];
        try (NativeBuffer buffer = NativeBuffer.allocate(length)) {
            for (int round = 0; round < 4; round++) {
                for (int at = mine * length; at < model.length; at += all * length) {
                    random.nextBytes(bytes);
                    NativeBuffer.put(buffer.address(), bytes, 0, length);
                    disk.write(at, buffer.address(), length);
                    System.arraycopy(bytes, 0, model, at, length);
                }
            }
        }
    }

    @Test
    void a_large_read_from_the_middle_of_a_sector_is_put_together_of_its_parts() throws IOException {
        byte[] written = QemuKind.content(SIZE);
        try (TestDisk test = new TestDisk(kinds().get(3).image(), kinds().get(3).create(), SIZE)) {
            test.write(0, written);
            test.check(333, SIZE - 700);
        }
    }

    @Test
    void without_a_passphrase_the_error_says_how_to_give_one() throws IOException {
        assertThatThrownBy(() -> Images.open(save(kinds().get(0)), OpenOptions.readOnly()))
                .isInstanceOfSatisfying(
                        Qcow2Exception.class, e -> assertThat(e.kind()).isEqualTo(Qcow2Exception.Kind.NO_KEY))
                .hasMessage(directory.resolve("a") + ": is encrypted (legacy AES): give --passphrase-file");
        assertThatThrownBy(() -> Images.open(save(kinds().get(4)), OpenOptions.readOnly()))
                .hasMessage(directory.resolve("a") + ": is encrypted (LUKS): give --passphrase-file");
    }

    @Test
    void a_wrong_passphrase_is_told_and_a_newline_too_many_with_it() throws IOException {
        Path image = save(kinds().get(4));
        assertThatThrownBy(() -> open(image, "other")).hasMessage(image + ": the passphrase opens no key slot");
        assertThatThrownBy(() -> open(image, TestDisk.PASSPHRASE + "\n"))
                .hasMessage(image + ": the passphrase opens no key slot (it ends with a newline, which counts)");
        open(image, TestDisk.PASSPHRASE).close();
    }

    @Test
    void a_crypto_header_outside_the_file_is_refused() throws IOException {
        Kind kind = kinds().get(4);
        MemoryHostFile file = kind.create();
        file.truncate(file.size() - 512);
        Path image = directory.resolve("a");
        file.saveTo(image);
        assertThatThrownBy(() -> open(image, TestDisk.PASSPHRASE))
                .hasMessageStartingWith(image + ": truncated: the crypto header's length is 260096 at 0x");
    }

    private Path save(Kind kind) throws IOException {
        Path image = directory.resolve("a");
        kind.create().saveTo(image);
        return image;
    }

    private static Disk open(Path image, String passphrase) throws IOException {
        try (Passphrase secret = Passphrase.of(passphrase.getBytes(StandardCharsets.US_ASCII))) {
            return Images.open(image, OpenOptions.readWrite().withPassphrase(secret));
        }
    }
}
