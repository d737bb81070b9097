package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.fuse.Transport;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Random use of a mounted disk against a model of plain bytes. Seeds are fixed; {@code -Dqfuse.seed=N} takes another, and
 * {@code -Dqfuse.long=true} many.
 */
@Tag("system")
@Timeout(value = 600, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class MountedDifferentialTest {

    private static final int MOUNTS = 3;
    private static final int STEPS_EACH = 120;
    private static final int LONG_SEEDS = 20;

    @RegisterExtension
    final Scratch scratch = new Scratch();

    static List<Arguments> kinds() {
        long first = Long.getLong("qfuse.seed", 1);
        long seeds = Boolean.getBoolean("qfuse.long") ? LONG_SEEDS : 1;
        List<Arguments> kinds = new ArrayList<>();
        for (long seed = first; seed < first + seeds; seed++) {
            for (ImageRecipe recipe : ImageRecipe.matrix()) {
                for (Transport transport : List.of(Transport.KERNEL, Transport.JNR_FUSE)) {
                    kinds.add(Arguments.of(recipe, transport, seed));
                }
            }
        }
        return kinds;
    }

    @ParameterizedTest(name = "{0} {1} seed {2}")
    @MethodSource("kinds")
    void a_mounted_disk_is_what_was_written_to_it(ImageRecipe recipe, Transport transport, long seed) throws Exception {
        Random random = new Random(seed);
        Path image = recipe.create(scratch, random);
        Path mountPoint = scratch.directory("mnt");
        RandomUser user = new RandomUser(random, recipe.flat(scratch, image));
        for (int mount = 0; mount < MOUNTS; mount++) {
            try (ServedHere served = recipe.serve(image, mountPoint, transport)) {
                use(served.raw(), user, "mount " + mount + " of " + recipe + " over " + transport + ", seed " + seed);
            }
            recipe.qemuImg(scratch, "check", image);
        }
        byte[] flat = recipe.flat(scratch, image);
        assertThat(flat).as("the size").hasSameSizeAs(user.model());
        assertThat(Arrays.mismatch(flat, user.model()))
                .as("first byte that qemu reads differently")
                .isEqualTo(-1);
    }

    private static void use(Path raw, RandomUser user, String where) throws Exception {
        int step = 0;
        try (RawFile buffered = RawFile.buffered(raw);
                RawFile direct = RawFile.direct(raw)) {
            for (; step < STEPS_EACH; step++) {
                user.step(buffered, direct);
            }
        } catch (Exception | AssertionError e) {
            throw new AssertionError(user.last() + ", step " + step + " of " + where, e);
        }
        if (!Arrays.equals(Files.readAllBytes(raw), user.model())) {
            throw new AssertionError("all bytes, at the end of " + where);
        }
    }
}
