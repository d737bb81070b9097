package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.fuse.ErrnoException;
import io.qfuse.fuse.Transport;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Many users of one disk at once, whose blocks lie in each other's clusters: what one does to its blocks, the others' never
 * show. Meanwhile others flush, reserve space and look for holes, which changes no byte.
 */
@Tag("system")
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ParallelUsersTest {

    private static final int USERS = 4;
    private static final int BLOCK = 4096;
    private static final int STEPS = 400;

    @RegisterExtension
    final Scratch scratch = new Scratch();

    static Stream<Arguments> kinds() {
        long seed = Long.getLong("qfuse.seed", 1);
        return ImageRecipe.matrix().stream()
                .flatMap(recipe ->
                        Stream.of(Transport.KERNEL, Transport.JNR_FUSE).map(over -> Arguments.of(recipe, over, seed)));
    }

    @ParameterizedTest(name = "{0} {1} seed {2}")
    @MethodSource("kinds")
    void users_of_one_cluster_never_lose_or_see_each_others_bytes(ImageRecipe recipe, Transport transport, long seed)
            throws Exception {
        Path image = recipe.create(scratch, new Random(seed));
        byte[] model = recipe.flat(scratch, image);
        try (ServedHere served = recipe.serve(image, scratch.directory("mnt"), transport)) {
            use(served.raw(), model, seed);
            assertThat(Files.readAllBytes(served.raw())).isEqualTo(model);
        }
        recipe.qemuImg(scratch, "check", image);
        assertThat(recipe.flat(scratch, image)).isEqualTo(model);
    }

    private static void use(Path raw, byte[] model, long seed) throws Exception {
        AtomicBoolean done = new AtomicBoolean();
        ExecutorService threads = Executors.newCachedThreadPool();
        try {
            List<Future<?>> users = new ArrayList<>();
            for (int number = 0; number < USERS; number++) {
                users.add(threads.submit(new Owner(raw, model, number, new Random(seed * USERS + number))));
            }
            Future<?> bystander = threads.submit(() -> {
                standBy(raw, model.length, new Random(seed), done);
                return true;
            });
            for (Future<?> user : users) {
                user.get();
            }
            done.set(true);
            bystander.get();
        } finally {
            done.set(true);
            threads.shutdown();
            assertThat(threads.awaitTermination(60, TimeUnit.SECONDS)).isTrue();
        }
    }

    private static void standBy(Path raw, int size, Random random, AtomicBoolean done) throws Exception {
        try (RawFile file = RawFile.buffered(raw)) {
            while (!done.get()) {
                int at = random.nextInt(size);
                switch (random.nextInt(4)) {
                    case 0 -> file.sync();
                    case 1 -> file.seekHole(at);
                    case 2 -> file.allocate(RawFile.KEEP_SIZE, at, 1 + random.nextInt(200_000));
                    default -> file.read(at, 100_000);
                }
            }
        }
    }

    /** Changes and reads every fourth block, alone; half of the owners do so past the page cache. */
    private static final class Owner implements Callable<Boolean> {

        private final Path raw;
        /** What the disk must read as, shared by all: an owner touches no other's bytes. */
        private final byte[] model;

        private final int number;
        private final Random random;

        Owner(Path raw, byte[] model, int number, Random random) {
            this.raw = raw;
            this.model = model;
            this.number = number;
            this.random = random;
        }

        @Override
        public Boolean call() throws Exception {
            try (RawFile file = number % 2 == 0 ? RawFile.direct(raw) : RawFile.buffered(raw)) {
                int groups = model.length / BLOCK / USERS;
                for (int step = 0; step < STEPS; step++) {
                    int start = (random.nextInt(groups) * USERS + number) * BLOCK;
                    int from = random.nextBoolean() ? 0 : random.nextInt(BLOCK);
                    int to = random.nextBoolean() ? BLOCK : from + 1 + random.nextInt(BLOCK - from);
                    change(file, start + from, start + to);
                    byte[] expected = Arrays.copyOfRange(model, start, start + BLOCK);
                    assertThat(file.read(start, BLOCK))
                            .as("owner %d, step %d, from %d to %d", number, step, start + from, start + to)
                            .isEqualTo(expected);
                }
            }
            return true;
        }

        private void change(RawFile file, int from, int to) throws ErrnoException {
            switch (random.nextInt(6)) {
                case 0 -> {
                    file.allocate(RawFile.PUNCH_HOLE | RawFile.KEEP_SIZE, from, to - from);
                    Arrays.fill(model, from, to, (byte) 0);
                }
                case 1 -> {
                    file.allocate(RawFile.ZERO_RANGE | RawFile.KEEP_SIZE, from, to - from);
                    Arrays.fill(model, from, to, (byte) 0);
                }
                default -> {
                    byte[] bytes = new byte[to - from];
                    random.nextBytes(bytes);
                    assertThat(file.write(from, bytes)).isEqualTo(bytes.length);
                    System.arraycopy(bytes, 0, model, from, bytes.length);
                }
            }
        }
    }
}
