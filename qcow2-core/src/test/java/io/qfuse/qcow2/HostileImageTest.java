package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.HostileFields.Damage;
import io.qfuse.qcow2.TestDisk.KeptOpen;
import io.qfuse.qcow2.check.ImageChecker;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.BoundedTime;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.Specimen;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every field of every structure with every value that should not be there: an error in one line that names it,
 * or a disk that is right wherever the damage does not reach. Runs in a small heap of its own.
 */
@Tag("hostile")
final class HostileImageTest {

    private static final long MOST_RESIDENT_KIB = 600 << 10;
    private static final int BUFFER = 1 << 20;
    private static final int PIECE = 1024;
    private static final byte WRITTEN = 9;

    @TempDir
    private static Path directory;

    @BeforeAll
    static void make_the_base() throws IOException {
        Specimen.base().saveTo(directory.resolve("base.raw"));
    }

    static List<Damage> damages() throws IOException {
        return HostileFields.all();
    }

    static List<Specimen> specimens() {
        return Specimen.all();
    }

    /** Heap, code, and whatever was taken beside them. */
    @AfterAll
    static void never_has_the_process_taken_more_memory_than_the_bound() throws IOException {
        String peak = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmHWM:"))
                .findFirst()
                .orElseThrow();
        assertThat(Long.parseLong(peak.replaceAll("\\D", ""))).as(peak).isLessThan(MOST_RESIDENT_KIB);
    }

    @ParameterizedTest
    @MethodSource("specimens")
    void a_sound_specimen_reads_as_qemu_wrote_it(Specimen specimen) throws IOException {
        CheckedImage.requireClean(specimen.file());
        Path path = directory.resolve("image.qcow2");
        specimen.file().saveTo(path);
        try (Disk disk = Images.open(path, OpenOptions.readOnly());
                NativeBuffer buffer = NativeBuffer.allocate(BUFFER)) {
            byte[] model = specimen.model();
            assertThat(disk.size()).isEqualTo(model.length);
            assertThat(TestDisk.read(disk, 0, model.length, buffer)).isEqualTo(model);
        }
    }

    @ParameterizedTest
    @MethodSource("damages")
    void damage_is_a_clear_error_or_stays_where_it_is(Damage damage) {
        BoundedTime.run(() -> {
            Path path = directory.resolve("image.qcow2");
            MemoryHostFile image = damage.file();
            image.saveTo(path);
            byte[] before = Files.readAllBytes(path);
            attempt(
                    damage,
                    () -> assertThat(ImageInfo.read(path).text()
                                    + ImageInfo.read(path).json())
                            .isNotEmpty());
            attempt(damage, () -> ImageChecker.check(image));
            look(damage, path, OpenOptions.readOnly());
            for (String id : damage.specimen().snapshots()) {
                look(damage, path, OpenOptions.readOnly().ofSnapshot(id));
            }
            assertThat(Files.readAllBytes(path)).isEqualTo(before);
            change(damage, image);
        });
    }

    /** Opens by the door, reads all there is, tries to write. */
    private static void look(Damage damage, Path path, OpenOptions options) throws IOException {
        Disk opened;
        try {
            opened = Images.open(path, options);
        } catch (IOException e) {
            HostileRefusals.requireNamed(damage, e);
            return;
        }
        boolean snapshot = !options.snapshot().isEmpty();
        byte[] model = damage.specimen().model();
        try (Disk disk = opened;
                NativeBuffer buffer = NativeBuffer.allocate(BUFFER)) {
            for (int at = 0; at < Math.min(model.length, disk.size()); at += PIECE) {
                readPiece(damage, !snapshot, disk, at, model, buffer);
            }
            attempt(damage, () -> disk.read(Math.max(0, disk.size() - 512), buffer.address(), 512));
            attempt(damage, () -> walk(disk));
            attempt(damage, () -> disk.write(0, buffer.address(), 512));
            attempt(damage, () -> disk.writeZeroes(0, disk.size(), true));
            attempt(damage, () -> disk.resize(512));
            attempt(damage, disk::flush);
        }
    }

    /** Reads a piece, which has to be right where the damage does not reach. */
    private static void readPiece(Damage damage, boolean known, Disk disk, int at, byte[] model, NativeBuffer buffer)
            throws IOException {
        int length = (int) Math.min(PIECE, disk.size() - at);
        if (!known || damage.field().concerns(at, PIECE)) {
            attempt(damage, () -> disk.read(at, buffer.address(), length));
        } else {
            byte[] read = TestDisk.read(disk, at, length, buffer);
            if (!Arrays.equals(read, Arrays.copyOfRange(model, at, at + length))) {
                throw new AssertionError(damage + ": other bytes in the piece at " + at);
            }
        }
    }

    private static void walk(Disk disk) throws IOException {
        for (long at = 0; at < disk.size(); ) {
            Extent extent = disk.nextExtent(at);
            assertThat(extent.length()).isPositive();
            at = extent.end();
        }
    }

    /** Opens for writing, does everything once, and looks whether it is there where the damage does not reach. */
    private static void change(Damage damage, MemoryHostFile image) throws IOException {
        Disk opened;
        try {
            opened = open(image, OpenOptions.readWrite());
        } catch (IOException e) {
            HostileRefusals.requireNamed(damage, e);
            return;
        }
        Expected expected = new Expected(damage, opened.size());
        boolean whole;
        try (Disk disk = opened;
                NativeBuffer buffer = NativeBuffer.allocate(BUFFER)) {
            operate(damage, disk, expected, buffer);
            expected.check(disk, buffer);
            whole = disk.writable();
        } catch (IOException e) {
            HostileRefusals.requireNamed(damage, e);
            return;
        }
        attempt(damage, () -> ImageChecker.check(image));
        if (whole) {
            try (Disk disk = open(image, OpenOptions.readOnly());
                    NativeBuffer buffer = NativeBuffer.allocate(BUFFER)) {
                expected.check(disk, buffer);
            } catch (IOException e) {
                HostileRefusals.requireNamed(damage, e);
            }
        }
    }

    private static Disk open(MemoryHostFile image, OpenOptions options) throws IOException {
        return SpecimenDisk.open(new KeptOpen(image), options.writable());
    }

    private static void operate(Damage damage, Disk disk, Expected expected, NativeBuffer buffer) throws IOException {
        int size = expected.bytes.length;
        NativeBuffer.put(buffer.address(), filled(BUFFER), 0, BUFFER);
        int[][] ranges = {{100, 3000}, {20_000, 512}, {130_000, 1000}, {size - 700, 700}, {60_000, 40_000}};
        for (int[] range : ranges) {
            expected.after(range, WRITTEN, () -> disk.write(range[0], buffer.address(), range[1]));
        }
        attempt(damage, disk::flush);
        int[][] zeroed = {{512, 100}, {8192, 8192}, {16_384, 600}, {110_000, 30_000}};
        for (int i = 0; i < zeroed.length; i++) {
            int[] range = zeroed[i];
            boolean unmap = i % 2 == 1;
            expected.after(range, 0, () -> disk.writeZeroes(range[0], range[1], unmap));
        }
        attempt(damage, () -> disk.allocate(150_000, 20_000));
        attempt(damage, disk::flush);
        attempt(damage, () -> disk.resize(size + (300 << 10)));
        attempt(damage, () -> disk.write(size + (200 << 10), buffer.address(), 5000));
        attempt(damage, () -> disk.resize(size));
        attempt(damage, disk::flush);
        expected.after(ranges[1], WRITTEN, () -> disk.write(ranges[1][0], buffer.address(), ranges[1][1]));
    }

    private static byte[] filled(int length) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, WRITTEN);
        return bytes;
    }

    /** What a damaged image has to read as, and where nobody can say. */
    private static final class Expected {

        private final byte[] bytes;
        private final boolean[] unknown;
        private final Damage damage;

        Expected(Damage damage, long size) {
            this.damage = damage;
            bytes = damage.specimen().model();
            unknown = new boolean[bytes.length];
            boolean all = damage.mayHitOthers();
            for (int i = 0; i < bytes.length; i++) {
                unknown[i] = all || i >= size || damage.field().concerns(i, 1);
            }
        }

        /** Notes what a range holds after an operation, or that it may hold anything. */
        void after(int[] range, int value, Operation operation) {
            try {
                operation.run();
                Arrays.fill(bytes, range[0], range[0] + range[1], (byte) value);
            } catch (IOException e) {
                HostileRefusals.requireNamed(damage, e);
                Arrays.fill(unknown, range[0], range[0] + range[1], true);
            }
        }

        void check(Disk disk, NativeBuffer buffer) throws IOException {
            for (int at = 0; at < Math.min(bytes.length, disk.size()); at += PIECE) {
                int length = (int) Math.min(PIECE, disk.size() - at);
                try {
                    compare(at, TestDisk.read(disk, at, length, buffer));
                } catch (IOException e) {
                    HostileRefusals.requireNamed(damage, e);
                    assertThat(unknown[at] || unknown[at + length - 1])
                            .as("%s: %d could not be read: %s", damage, at, e)
                            .isTrue();
                }
            }
        }

        private void compare(int offset, byte[] read) {
            for (int i = 0; i < read.length; i++) {
                if (!unknown[offset + i] && read[i] != bytes[offset + i]) {
                    throw new AssertionError(
                            damage + ": byte " + (offset + i) + " is " + read[i] + ", not " + bytes[offset + i]);
                }
            }
        }
    }

    private static void attempt(Damage damage, Operation operation) throws IOException {
        try {
            operation.run();
        } catch (IOException e) {
            HostileRefusals.requireNamed(damage, e);
        }
    }

    private interface Operation {
        void run() throws IOException;
    }
}
