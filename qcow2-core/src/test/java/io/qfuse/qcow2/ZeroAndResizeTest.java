package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.ImageTally;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.RecordingFile;
import java.io.IOException;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Zeroes, sizes and preallocation at every alignment. */
final class ZeroAndResizeTest {

    private static final int SIZE = (1 << 20) - 5 * 512;

    static List<ImageKind> kinds() {
        return List.of(
                new ImageKind(2, 9, 4, false),
                new ImageKind(2, 12, 4, true),
                new ImageKind(3, 12, 6, true),
                new ImageKind(3, 14, 4, true, true),
                new ImageKind(3, 16, 4, false),
                new ImageKind(3, 16, 4, true, true));
    }

    static List<ImageKind> unbacked() {
        return kinds().stream().filter(kind -> !kind.backed()).toList();
    }

    private static byte[] noise(int length) {
        byte[] bytes = new byte[length];
        new Random(length).nextBytes(bytes);
        return bytes;
    }

    private static void requireClean(MemoryHostFile image) throws IOException {
        ImageTally tally = new ImageTally(image.copy());
        assertThat(tally.corruptions()).isEmpty();
        assertThat(tally.leaks()).isZero();
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void zeroes_reach_from_byte_to_byte_and_no_further(ImageKind kind) throws IOException {
        MemoryHostFile image = kind.create(SIZE);
        int cluster = kind.clusterSize();
        try (TestDisk disk = new TestDisk(kind, image, SIZE)) {
            int[] borders = {-513, -512, -1, 0, 1, 511, 512};
            for (int round = 0; round < 2; round++) {
                int at = 2 * cluster;
                for (int from : borders) {
                    for (int to : borders) {
                        int first = at + from;
                        int end = at + cluster * (1 + round) + to;
                        if (first < end && end + cluster < SIZE) {
                            disk.zero(first, end - first, round == 0);
                        }
                        at = (at + 5 * cluster) % (SIZE - 4 * cluster) / cluster * cluster + cluster;
                    }
                }
                disk.checkAll();
                disk.write(0, noise(SIZE));
            }
            disk.zero(SIZE - 1, 1, true);
            disk.zero(SIZE - cluster - 7, cluster + 7, true);
            disk.checkAll();
            disk.disk().flush();
        }
        requireClean(image);
    }

    @ParameterizedTest
    @MethodSource("unbacked")
    void zeroes_that_nothing_shows_through_take_no_clusters(ImageKind kind) throws IOException {
        RecordingFile file = new RecordingFile(kind.create(SIZE));
        try (TestDisk disk = new TestDisk(kind, file, SIZE)) {
            disk.zero(1, SIZE - 2, true);
            disk.zero(0, SIZE, false);
            disk.disk().flush();
            assertThat(file.calls()).allMatch(RecordingFile.Call::isSync);
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void partial_write_over_zeroes_never_shows_what_lies_below_or_was_there(ImageKind kind) throws IOException {
        MemoryHostFile image = kind.create(SIZE);
        int cluster = kind.clusterSize();
        try (TestDisk disk = new TestDisk(kind, image, SIZE)) {
            disk.write(0, noise(SIZE / 2));
            disk.zero(0, SIZE, false);
            disk.write(cluster + 100, noise(50));
            disk.write(SIZE / 2 + 333, noise(cluster + 11));
            disk.zero(0, SIZE, true);
            disk.write(2 * cluster - 1, noise(2));
            disk.write(SIZE - 1, noise(1));
            disk.checkAll();
            disk.disk().flush();
            disk.checkAll();
        }
        requireClean(image);
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void disk_that_shrinks_and_grows_shows_zeroes_not_its_past_nor_its_base(ImageKind kind) throws IOException {
        MemoryHostFile image = kind.create(SIZE);
        try (TestDisk disk = new TestDisk(kind, image, SIZE)) {
            disk.write(0, noise(SIZE));
            for (int size : new int[] {SIZE - 512, SIZE, 700_416, 700_928, 512, SIZE, SIZE + 512, 3 << 20, 1 << 19}) {
                disk.resize(size);
                disk.checkAll();
                disk.write(size - 512, noise(512));
                disk.disk().flush();
                disk.disk().flush(); // counts of what the first one released
                requireClean(image);
            }
            disk.resize(0);
            disk.resize(SIZE);
            disk.checkAll();
        }
        requireClean(image);
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void sizes_that_cannot_be_are_refused_and_change_nothing(ImageKind kind) throws IOException {
        RecordingFile file = new RecordingFile(kind.create(SIZE));
        try (TestDisk disk = new TestDisk(kind, file, SIZE)) {
            for (long size : new long[] {-512, -1, 1, SIZE - 1, SIZE + 100, Long.MAX_VALUE - 511}) {
                assertThatThrownBy(() -> disk.disk().resize(size))
                        .isInstanceOfSatisfying(
                                Qcow2Exception.class, e -> assertThat(e.kind()).isEqualTo(Kind.OUT_OF_RANGE))
                        .hasMessageContaining(String.valueOf(size));
            }
            assertThat(disk.disk().size()).isEqualTo(SIZE);
            assertThat(file.calls()).isEmpty();
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void preallocation_changes_no_byte_and_writes_after_it_need_no_room(ImageKind kind) throws IOException {
        MemoryHostFile image = kind.create(SIZE);
        RecordingFile file = new RecordingFile(image);
        try (TestDisk disk = new TestDisk(kind, file, SIZE)) {
            disk.write(100_000, noise(3000));
            disk.zero(500_000, 70_000, true);
            disk.disk().allocate(300_001, 100_000);
            disk.checkAll();
            disk.disk().allocate(0, SIZE);
            disk.checkAll();
            disk.disk().flush();
            requireClean(image);
            long room = image.size();
            file.take();
            disk.write(0, noise(SIZE));
            disk.disk().flush();
            assertThat(file.take()).allMatch(call -> call.offset() + call.length() <= room);
            disk.write(1234, noise(5));
            disk.write(SIZE - 9, noise(9));
            assertThat(file.take()).hasSize(2);
            disk.checkAll();
            disk.disk().flush();
            requireClean(image);
            assertThat(image.size()).isEqualTo(room);
        }
    }
}
