package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.TestDisk.KeptOpen;
import io.qfuse.qcow2.create.NewImage;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Backing chains that are long, and layers that do not fit each other. */
final class ChainTest {

    private static final int SIZE = 1 << 20;
    private static final int SECTOR = 512;
    private static final int SMALL_STACK = 512 << 10;

    @TempDir
    Path directory;

    private final NativeBuffer buffer = NativeBuffer.allocate(SIZE);

    @AfterEach
    void free() {
        buffer.close();
    }

    private Path layer(int number) {
        return directory.resolve("layer" + number);
    }

    /** Makes layer 0, a raw file, and images on top of it; each holds its number in one sector, and zeroes around it. */
    private void makeChain(int layers) throws IOException {
        Files.write(layer(0), new byte[SIZE]);
        for (int i = 1; i < layers; i++) {
            CreateOptions options = CreateOptions.parse(List.of("cluster_size=" + clusterSize(i)))
                    .withSize(SIZE)
                    .withBacking("layer" + (i - 1), i == 1 ? "raw" : "qcow2");
            MemoryHostFile file = new MemoryHostFile("layer" + i);
            NewImage.plan(options, file.path()).writeTo(file);
            OpenOptions opening = OpenOptions.readWrite();
            try (Disk disk = new Qcow2Image(
                    new ImageFiles(new KeptOpen(file), null),
                    HeaderReader.read(file),
                    null,
                    opening,
                    Qcow2Image.ChainCaches.of(opening))) {
                NativeBuffer.put(buffer.address(), sector(i), 0, SECTOR);
                disk.write((long) SECTOR * i, buffer.address(), SECTOR);
            }
            file.saveTo(layer(i));
        }
    }

    private static int clusterSize(int layer) {
        return SECTOR << layer % 8;
    }

    private static byte[] sector(int layer) {
        byte[] bytes = new byte[SECTOR];
        Arrays.fill(bytes, (byte) layer);
        return bytes;
    }

    private static byte[] modelOfChain(int layers) {
        byte[] model = new byte[SIZE];
        for (int i = 1; i < layers; i++) {
            int start = SECTOR * i & -clusterSize(i);
            Arrays.fill(model, start, start + clusterSize(i), (byte) 0);
            System.arraycopy(sector(i), 0, model, SECTOR * i, SECTOR);
        }
        return model;
    }

    @Test
    void two_hundred_layers_are_read_by_a_thread_with_a_small_stack_and_more_than_256_are_refused() throws Exception {
        makeChain(257);
        assertThatThrownBy(() -> Images.open(layer(256), OpenOptions.readWrite()))
                .isInstanceOf(Qcow2Exception.class)
                .hasMessageContainingAll("layer0", "more than 256 layers");
        for (int layers : new int[] {200, 256}) {
            try (Disk disk = Images.open(layer(layers - 1), OpenOptions.readWrite())) {
                try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
                    assertThat(descriptors.filter(this::isOfTheChain)).hasSize(layers);
                }
                FutureTask<byte[]> reading = new FutureTask<>(() -> TestDisk.read(disk, 0, SIZE, buffer));
                new Thread(null, reading, "reader", SMALL_STACK).start();
                assertThat(Arrays.mismatch(reading.get(), modelOfChain(layers))).isEqualTo(-1);
                FutureTask<Boolean> asking =
                        new FutureTask<>(() -> disk.nextExtent(SIZE / 2).isHole());
                new Thread(null, asking, "asker", SMALL_STACK).start();
                assertThat(asking.get()).isFalse(); // data of the raw file at the bottom
            }
        }
    }

    private boolean isOfTheChain(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).startsWith(directory);
        } catch (IOException e) {
            return false; // the one that lists them
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void a_read_through_an_empty_chain_asks_each_layer_by_runs_and_not_by_clusters(boolean tables) throws IOException {
        CountingLayer bottom = new CountingLayer();
        List<Disk> layers = new ArrayList<>();
        Layer below = bottom;
        for (int i = 0; i < 200; i++) {
            ImageKind kind = new ImageKind(3, List.of(9, 16, 12, 21).get(i % 4), 4, true, i % 8 == 1);
            MemoryHostFile file = kind.create(SIZE);
            OpenOptions options = OpenOptions.readWrite().withCacheBytes(1 << 20);
            Disk disk = new Qcow2Image(
                    new ImageFiles(file, null),
                    HeaderReader.read(file),
                    below,
                    options,
                    Qcow2Image.ChainCaches.of(options));
            if (tables && i % 4 == 0) {
                for (int at = 0; at < SIZE; at += 32 << 10) { // an L2 table of 512-byte clusters reaches so far
                    disk.write(at, buffer.address(), 512);
                }
            }
            layers.add(disk);
            below = disk;
        }
        Disk top = layers.get(layers.size() - 1);
        bottom.reads = 0;
        top.read(0, buffer.address(), SIZE);
        assertThat(bottom.reads).isLessThanOrEqualTo(tables ? SIZE / (32 << 10) : 1);
        top.close();
    }

    private static final class CountingLayer implements Layer {

        private int reads;

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
            reads++;
            NativeBuffer.zero(address, length);
        }

        @Override
        public Extent nextExtent(long offset) {
            return new Extent(Extent.Kind.HOLE, offset, SIZE - offset);
        }

        @Override
        public void close() {}
    }

    @Test
    void a_shorter_layer_in_the_middle_hides_what_lies_below_its_end() throws IOException {
        byte[] ones = new byte[SIZE];
        Arrays.fill(ones, (byte) 1);
        Files.write(layer(0), ones);
        ImageCreator.create(layer(1), CreateOptions.ofSize(100_352).withBacking("layer0", "raw"));
        ImageCreator.create(layer(2), CreateOptions.ofSize(SIZE).withBacking("layer1", "qcow2"));
        try (Disk disk = Images.open(layer(2), OpenOptions.readWrite())) {
            byte[] read = TestDisk.read(disk, 0, SIZE, buffer);
            assertThat(Arrays.copyOf(read, 100_352)).containsOnly(1);
            assertThat(Arrays.copyOfRange(read, 100_352, SIZE)).containsOnly(0);
            assertThat(disk.nextExtent(100_352)).isEqualTo(new Extent(Extent.Kind.HOLE, 100_352, SIZE - 100_352));
        }
    }

    @Test
    void a_raw_base_that_ends_within_a_sector_goes_on_with_zeroes() throws IOException {
        byte[] ones = new byte[100_000];
        Arrays.fill(ones, (byte) 1);
        Files.write(layer(0), ones);
        ImageCreator.create(layer(1), CreateOptions.ofSize(SIZE).withBacking("layer0", "raw"));
        try (Disk disk = Images.open(layer(1), OpenOptions.readWrite())) {
            byte[] read = TestDisk.read(disk, 0, SIZE, buffer);
            assertThat(Arrays.copyOf(read, 100_000)).containsOnly(1);
            assertThat(Arrays.copyOfRange(read, 100_000, SIZE)).containsOnly(0);
            disk.write(99_999, buffer.address() + 1, 1);
            byte[] after = TestDisk.read(disk, 0, SIZE, buffer);
            assertThat(Arrays.mismatch(after, read)).isEqualTo(-1);
        }
    }

    @Test
    void holes_of_a_raw_base_are_holes_of_the_disk() throws IOException {
        MemoryHostFile sparse = new MemoryHostFile("sparse");
        sparse.write(SIZE / 2, new byte[] {1}, 0, 1);
        sparse.truncate(SIZE);
        sparse.saveTo(layer(0));
        ImageCreator.create(layer(1), CreateOptions.ofSize(SIZE).withBacking("layer0", "raw"));
        try (Disk disk = Images.open(layer(1), OpenOptions.readWrite())) {
            assertThat(disk.nextExtent(0)).isEqualTo(new Extent(Extent.Kind.HOLE, 0, SIZE / 2));
            assertThat(disk.nextExtent(SIZE / 2).isHole()).isFalse();
        }
    }
}
