package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.TestDisk.KeptOpen;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.RecordingFile;
import io.qfuse.qcow2.testing.RecordingFile.Call;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How much a small write into an unallocated cluster over a backing file reads and writes around its bytes. */
final class CopyOnWriteTest {

    private static final int SIZE = 1 << 20;
    private static final int CLUSTER_BITS = 17;
    private static final int SUBCLUSTER = 4 << 10;

    /** A range that was asked for. */
    private record Range(long offset, long length) {}

    @ParameterizedTest
    @CsvSource({
        // offset and length of the write; what is written of its cluster; bytes of the backing file that are read
        "135168, 4096, 135168, 4096, 0",
        "135680, 512, 135168, 4096, 3584",
        "139263, 1, 135168, 4096, 4095",
        "137216, 4096, 135168, 8192, 4096",
        "131072, 131072, 131072, 131072, 0"
    })
    void a_write_touches_nothing_outside_its_subclusters(int offset, int length, int from, int written, int read)
            throws IOException {
        MemoryHostFile image = new ImageKind(3, CLUSTER_BITS, 4, true, true).create(SIZE);
        RecordingFile file = new RecordingFile(new KeptOpen(image));
        RecordingLayer base = new RecordingLayer();
        OpenOptions options = OpenOptions.readWrite();
        long cluster = 1L << CLUSTER_BITS;
        try (NativeBuffer buffer = NativeBuffer.allocate(SIZE);
                Disk disk = new Qcow2Image(
                        new ImageFiles(file, null),
                        HeaderReader.read(file),
                        base,
                        options,
                        Qcow2Image.ChainCaches.of(options))) {
            disk.write(0, buffer.address(), SUBCLUSTER); // so that the L2 table is there
            base.reads.clear();
            file.take();
            disk.write(offset, buffer.address(), length);
            List<Call> writes =
                    file.take().stream().filter(call -> call.length() > 0).toList();
            assertThat(writes).hasSize(1);
            assertThat(writes.get(0).length()).isEqualTo(written);
            assertThat(writes.get(0).offset() % cluster).isEqualTo(from % cluster);
            assertThat(base.reads).allSatisfy(range -> {
                assertThat(range.offset).isGreaterThanOrEqualTo(from);
                assertThat(range.offset + range.length).isLessThanOrEqualTo(from + written);
            });
            assertThat(base.reads.stream().mapToLong(Range::length).sum()).isEqualTo(read);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void what_is_filled_around_new_bytes_hits_no_subcluster_that_is_alive(long seed) throws IOException {
        Random random = new Random(seed);
        ImageKind kind = new ImageKind(3, CLUSTER_BITS, 4, true, true);
        int cluster = kind.clusterSize();
        RecordingFile file = new RecordingFile(kind.create(SIZE));
        try (TestDisk disk = new TestDisk(kind, file, SIZE)) {
            for (int at = 0; at < cluster; at += SUBCLUSTER) {
                switch (random.nextInt(3)) {
                    case 0 -> disk.write(at, bytes(random, SUBCLUSTER));
                    case 1 -> disk.zero(at, SUBCLUSTER, false);
                    default -> disk.check(at, SUBCLUSTER); // not allocated
                }
            }
            for (int i = 0; i < 60; i++) {
                int length = 1 + random.nextInt(2 * SUBCLUSTER);
                int offset = random.nextInt(cluster - length);
                file.take();
                if (random.nextInt(4) == 0) {
                    disk.zero(offset, length, random.nextBoolean());
                } else {
                    disk.write(offset, bytes(random, length));
                }
                int first = offset & -SUBCLUSTER;
                int end = (offset + length + SUBCLUSTER - 1) & -SUBCLUSTER;
                assertThat(file.take())
                        .as("seed %d, %d bytes at %d", seed, length, offset)
                        .allSatisfy(call -> {
                            assertThat(call.offset() % cluster).isGreaterThanOrEqualTo(first);
                            assertThat(call.offset() % cluster + call.length()).isLessThanOrEqualTo(end);
                        });
                disk.check(0, cluster);
            }
        }
    }

    private static byte[] bytes(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    /** Data without end, that remembers what was read of it. */
    private static final class RecordingLayer implements Layer {

        private final List<Range> reads = new ArrayList<>();

        @Override
        public long size() {
            return SIZE;
        }

        @Override
        public long allocatedBytes() {
            return 0;
        }

        @Override
        public void read(long offset, long address, int length) {
            reads.add(new Range(offset, length));
            NativeBuffer.zero(address, length);
        }

        @Override
        public Extent nextExtent(long offset) {
            return new Extent(Extent.Kind.DATA, offset, SIZE - offset);
        }

        @Override
        public void close() {}
    }
}
