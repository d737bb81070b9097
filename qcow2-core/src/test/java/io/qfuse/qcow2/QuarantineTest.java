package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.OpenOptions.Discard;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.CompressedImage;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.RecordingFile;
import io.qfuse.qcow2.testing.RecordingFile.Call;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Host clusters that the guest gave up: left alone until that is durable, then given back, or kept where the user says so. */
final class QuarantineTest {

    private static final ImageKind KIND = new ImageKind(3, 12, 4, false);
    private static final int SIZE = 1 << 20;
    private static final int CLUSTER = 4096;
    private static final MemoryHostFile NO_BASE = new MemoryHostFile("base.raw");

    private final NativeBuffer buffer = NativeBuffer.allocate(32 << 20);

    @AfterEach
    void free() {
        buffer.close();
    }

    private void write(Disk disk, long offset, int length, int value) throws IOException {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) value);
        NativeBuffer.put(buffer.address(), bytes, 0, length);
        disk.write(offset, buffer.address(), length);
    }

    /** The host offsets of an image's first eight guest clusters, compressed or not, which lie in its one L2 table. */
    private static long[] places(MemoryHostFile file) {
        long l1 = ByteBuffer.wrap(file.bytes(40, 8)).getLong();
        long l2 = ByteBuffer.wrap(file.bytes(l1, 8)).getLong() & L2Entry.OFFSET_MASK;
        return LongStream.range(0, 8)
                .map(i -> ByteBuffer.wrap(file.bytes(l2 + 8 * i, 8)).getLong())
                .map(entry -> L2Entry.isCompressed(entry)
                        ? L2Entry.streamOffset(entry, 12) & -CLUSTER
                        : L2Entry.hostOffset(entry))
                .toArray();
    }

    private static boolean touchesAny(Call call, long[] places) {
        return Arrays.stream(places).anyMatch(place -> call.touches(place, CLUSTER));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void a_cluster_of_freed_streams_is_neither_punched_nor_reused_before_a_flush_and_may_be_after_it(
            boolean overwritten) throws IOException {
        MemoryHostFile image = KIND.create(SIZE);
        try (Disk disk = TestDisk.open(new TestDisk.KeptOpen(image), NO_BASE)) {
            write(disk, 0, 8 * CLUSTER, 7);
        }
        CompressedImage.compress(image, KIND);
        long[] places = places(image);
        assertThat(places).doesNotContain(0L).doesNotHaveDuplicates();
        RecordingFile file = new RecordingFile(image);
        try (Disk disk = TestDisk.open(file, NO_BASE)) {
            if (overwritten) {
                write(disk, 0, 8 * CLUSTER, 8);
            } else {
                disk.writeZeroes(0, 8 * CLUSTER, true);
            }
            write(disk, SIZE / 2, 20 * CLUSTER, 9);
            assertThat(file.take()).noneMatch(call -> touchesAny(call, places));
            disk.flush();
            List<Call> flushed = file.take();
            long punched =
                    flushed.stream().filter(call -> touchesAny(call, places)).count();
            assertThat(punched).isEqualTo(overwritten ? 0 : 1);
            assertThat(flushed.get(flushed.size() - (overwritten ? 1 : 2)).isSync())
                    .as("%s ends with a barrier, and then the hole", flushed)
                    .isTrue();
            write(disk, SIZE / 4, 8 * CLUSTER, 10);
            assertThat(file.take()).anyMatch(call -> touchesAny(call, places));
        }
        CheckedImage.requireClean(image.copy());
    }

    static List<ImageKind> kinds() {
        return ImageKind.all().stream().filter(kind -> kind.clusterBits() < 21).toList();
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void with_ignore_no_hole_is_punched_into_any_file_whatever_is_done(ImageKind kind) throws IOException {
        RecordingFile file = new RecordingFile(kind.create(SIZE));
        MemoryHostFile inData = kind.createData(SIZE);
        RecordingFile data = new RecordingFile(inData == null ? new MemoryHostFile("none") : inData);
        OpenOptions options =
                OpenOptions.readWrite().withCacheBytes(TestDisk.SMALL_CACHE).withDiscard(Discard.IGNORE);
        MemoryHostFile base = new MemoryHostFile("base.raw");
        base.write(0, TestDisk.baseBytes(SIZE - 1536), 0, SIZE - 1536);
        try (Disk disk = TestDisk.open(file, inData == null ? null : data, base, options)) {
            write(disk, 0, SIZE, 5);
            disk.writeZeroes(1000, SIZE / 2, true);
            disk.flush();
            disk.writeZeroes(SIZE / 2, SIZE / 4, false);
            disk.resize(SIZE / 4 * 3);
            disk.flush();
            disk.resize(SIZE);
            byte[] expected = new byte[SIZE];
            Arrays.fill(expected, 0, 1000, (byte) 5);
            assertThat(TestDisk.read(disk, 0, SIZE, buffer)).isEqualTo(expected);
        }
        assertThat(file.calls()).isNotEmpty().extracting(Call::name).doesNotContain("punchHole");
        assertThat(data.calls()).extracting(Call::name).doesNotContain("punchHole");
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void scattered_discards_without_any_fsync_wait_in_bounded_memory(boolean shrinking) throws IOException {
        ImageKind tiny = new ImageKind(3, 9, 4, false);
        int clusters = 120_000;
        RecordingFile file = new RecordingFile(tiny.create(512L * clusters));
        OpenOptions options = OpenOptions.readWrite().withCacheBytes(1L << 30);
        try (Disk disk = TestDisk.open(file, null, NO_BASE, options)) {
            // Even clusters first: then no two freed clusters are neighbours on the host and for the guest.
            for (int parity = 0; parity < 2; parity++) {
                for (int cluster = parity; cluster < clusters; cluster += 2) {
                    disk.write(512L * cluster, buffer.address(), 512);
                }
            }
            disk.flush();
            file.take();
            if (shrinking) {
                disk.resize(512);
            } else {
                for (int cluster = 0; cluster < clusters; cluster++) {
                    disk.writeZeroes(512L * cluster, 512, true);
                }
            }
            long released = file.take().stream()
                    .filter(call -> call.name().equals("punchHole"))
                    .count();
            // A hold of 32768 clusters may go beyond the bound of 65536.
            assertThat(clusters - released).isLessThan(100_000);
        }
    }
}
