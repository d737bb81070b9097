package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.ImageTally;
import io.qfuse.qcow2.testing.ImageTally.Use;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/** Images whose metadata were changed at random: an error that says so, or an answer, soon and in little memory. */
final class DamagedImageTest {

    private static final int SIZE = 1 << 20;
    private static final int IMAGES = 100;
    private static final List<ImageKind> KINDS = List.of(
            new ImageKind(3, 9, 4, false),
            new ImageKind(3, 12, 6, false),
            new ImageKind(2, 12, 4, false),
            new ImageKind(3, 14, 0, false, true));

    @ParameterizedTest
    @EnumSource(value = Use.class, mode = Mode.EXCLUDE, names = "DATA")
    void damage_in_any_table_is_an_error_or_an_answer(Use damaged) {
        assertTimeoutPreemptively(Duration.ofMinutes(1), () -> {
            for (ImageKind kind : KINDS) {
                MemoryHostFile sound = used(kind);
                List<Long> places = places(sound, kind, damaged);
                for (long seed = 0; seed < IMAGES; seed++) {
                    MemoryHostFile image = sound.copy();
                    Random random = new Random(seed);
                    damage(image, places, random);
                    try {
                        use(image, random);
                    } catch (RuntimeException | Error e) {
                        throw new AssertionError(kind + ", damaged " + damaged + ", seed " + seed, e);
                    }
                }
            }
        });
    }

    @Test
    void broken_compressed_cluster_concerns_its_reader_only() throws IOException {
        ImageKind kind = new ImageKind(3, 12, 4, false);
        MemoryHostFile image = used(kind);
        ImageTally tally = new ImageTally(image);
        long table = 0;
        while (tally.use(table) != Use.L2) {
            table += kind.clusterSize();
        }
        int cluster = 130; // a hole
        long entry = L2Entry.COMPRESSED | kind.clusterSize(); // its stream is what lies in the second cluster
        image.write(table + 8L * cluster, ByteBuffer.allocate(8).putLong(entry).array(), 0, 8);
        try (Disk disk = TestDisk.open(image, new MemoryHostFile("no base"));
                NativeBuffer buffer = NativeBuffer.allocate(kind.clusterSize())) {
            long guest = (long) cluster * kind.clusterSize();
            assertThatThrownBy(() -> disk.read(guest, buffer.address(), 1))
                    .isInstanceOf(Qcow2Exception.class)
                    .hasMessageContainingAll("image.qcow2", "compressed", "0x1000");
            assertThat(disk.writable()).isTrue();
            disk.write(0, buffer.address(), kind.clusterSize());
            disk.flush();
        }
    }

    /** An image with data, holes, zeroes and reserved clusters. */
    private static MemoryHostFile used(ImageKind kind) throws IOException {
        MemoryHostFile image = kind.create(SIZE);
        try (Disk disk = TestDisk.open(new KeptOpen(image), new MemoryHostFile("no base"));
                NativeBuffer buffer = NativeBuffer.allocate(200_000)) {
            NativeBuffer.zero(buffer.address(), 200_000);
            disk.write(0, buffer.address(), 200_000);
            disk.write(600_000, buffer.address(), 100_000);
            disk.writeZeroes(30_000, 50_000, true);
            disk.allocate(300_000, 60_000);
        }
        return image;
    }

    /** Where words of one kind of metadata lie that are in use, and a few that are not. */
    private static List<Long> places(MemoryHostFile image, ImageKind kind, Use damaged) throws IOException {
        ImageTally tally = new ImageTally(image);
        List<Long> places = new ArrayList<>();
        for (long at = 0; at < image.size(); at += 8) {
            boolean used = ByteBuffer.wrap(image.bytes(at, 8)).getLong() != 0;
            if (tally.use(at) == damaged && (used || at % kind.clusterSize() < 64)) {
                places.add(at);
            }
        }
        return places;
    }

    private static void damage(MemoryHostFile image, List<Long> places, Random random) {
        for (int i = 0; i <= random.nextInt(3); i++) {
            long at = places.get(random.nextInt(places.size()));
            long old = ByteBuffer.wrap(image.bytes(at, 8)).getLong();
            long other = ByteBuffer.wrap(image.bytes(places.get(random.nextInt(places.size())), 8))
                    .getLong();
            long word = switch (random.nextInt(6)) {
                case 0 -> random.nextLong();
                case 1 -> old ^ 1L << random.nextInt(64);
                case 2 -> old + 512L * (random.nextInt(64) - 32);
                case 3 -> 0;
                case 4 -> random.nextBoolean() ? -1 : Long.MAX_VALUE;
                default -> other;
            };
            image.write(at, ByteBuffer.allocate(8).putLong(word).array(), 0, 8);
        }
    }

    private static void use(MemoryHostFile image, Random random) {
        try (Disk disk = TestDisk.open(image, new MemoryHostFile("no base"));
                NativeBuffer buffer = NativeBuffer.allocate(SIZE)) {
            int size = (int) Math.min(disk.size(), SIZE);
            attempt(() -> disk.read(0, buffer.address(), size));
            attempt(() -> {
                for (long at = 0; at < size; at = disk.nextExtent(at).end()) {
                    assertThat(disk.nextExtent(at).length()).isPositive();
                }
            });
            for (int i = 0; i < 12 && size > 512; i++) {
                int offset = random.nextInt(size - 512);
                int length = 1 + random.nextInt(Math.min(size - offset, 40_000));
                switch (i % 4) {
                    case 0 -> attempt(() -> disk.writeZeroes(offset, length, true));
                    case 1 -> attempt(() -> disk.allocate(offset, length));
                    case 2 -> attempt(() -> disk.write(offset, buffer.address(), length));
                    default -> attempt(disk::flush);
                }
            }
            attempt(() -> disk.read(0, buffer.address(), size));
        } catch (IOException e) {
            assertThat(e).isInstanceOf(Qcow2Exception.class).hasMessageStartingWith("image.qcow2: ");
        }
    }

    private static void attempt(Operation operation) throws IOException {
        try {
            operation.run();
        } catch (Qcow2Exception e) {
            assertThat(e.kind()).isIn(Kind.CORRUPT, Kind.MALFORMED, Kind.UNSUPPORTED, Kind.NO_SPACE);
            assertThat(e).hasMessageStartingWith("image.qcow2: ").hasMessageNotContaining("\n");
        }
    }

    private interface Operation {
        void run() throws IOException;
    }

    /** Outlives the disk. */
    private static final class KeptOpen extends ForwardingFile {

        KeptOpen(MemoryHostFile file) {
            super(file);
        }

        @Override
        public void close() {}
    }
}
