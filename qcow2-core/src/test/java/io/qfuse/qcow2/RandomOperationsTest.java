package io.qfuse.qcow2;

import io.qfuse.qcow2.testing.ImageKind;
import java.io.IOException;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class RandomOperationsTest {

    private static final int OPERATIONS = 120;
    private static final int SEEDS = Boolean.getBoolean("qfuse.long") ? 40 : 1;

    static List<ImageKind> kinds() {
        return ImageKind.all();
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void any_operations_leave_what_a_plain_array_holds_and_a_clean_image(ImageKind kind) throws IOException {
        for (int seed = 1; seed <= SEEDS; seed++) {
            run(kind, seed);
        }
    }

    private static void run(ImageKind kind, long seed) throws IOException {
        Random random = new Random(seed);
        int size = 512 * (3000 + random.nextInt(1000));
        try (TestDisk disk = new TestDisk(kind, kind.create(size), size)) {
            run(disk, random);
        } catch (IOException | RuntimeException | AssertionError e) {
            throw new AssertionError(kind + ", seed " + seed, e);
        }
    }

    /** Uses a fresh disk, and checks it to its last byte. */
    static void run(TestDisk disk, Random random) throws IOException {
        for (int i = 0; i < OPERATIONS; i++) {
            try {
                step(disk, random);
            } catch (IOException | RuntimeException | AssertionError e) {
                throw new AssertionError("operation " + i, e);
            }
        }
        disk.checkAll();
        disk.reopen();
    }

    private static void step(TestDisk disk, Random random) throws IOException {
        int most = Math.min(disk.size(), random.nextInt(4) == 0 ? 300_000 : 6_000);
        int length = 1 + random.nextInt(most);
        int offset = random.nextInt(disk.size() - length + 1);
        if (random.nextBoolean()) {
            offset &= -512;
        }
        switch (random.nextInt(20)) {
            case 0, 1, 2, 3, 4, 5, 6 -> {
                byte[] bytes = new byte[length];
                random.nextBytes(bytes);
                disk.write(offset, bytes);
            }
            case 7, 8, 9 -> disk.zero(offset, length, true);
            case 10, 11, 12 -> disk.zero(offset, length, false);
            case 13 -> disk.disk().allocate(offset, length);
            case 14, 15, 16 -> disk.check(offset, length);
            case 17 -> disk.disk().flush();
            case 18 -> disk.resize(512 * (1000 + random.nextInt(4000)));
            default -> disk.reopen();
        }
    }
}
