package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ErrnoException;
import io.qfuse.fuse.Transport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Holes of the mounted file against {@code qemu-img map} of the image. */
@Tag("system")
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HoleMapTest {

    private static final int MIB = 1 << 20;
    private static final Pattern MAPPED =
            Pattern.compile("\"start\": (\\d+), \"length\": (\\d+),.*?\"zero\": (true|false)");

    @RegisterExtension
    final Scratch scratch = new Scratch();

    /** A run of bytes that is no hole. */
    private record Data(long start, long end) {}

    static Stream<Arguments> kinds() {
        return ImageRecipe.matrix().stream()
                .flatMap(recipe -> Stream.of(Transport.KERNEL, Transport.JNR_FUSE)
                        .map(transport -> Arguments.of(recipe, transport)));
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void holes_are_where_qemu_img_map_finds_zeroes(ImageRecipe recipe, Transport transport) throws Exception {
        Path image = recipe.create(scratch, new Random(3));
        recipe.qemuIo(
                scratch,
                image,
                "write -P 1 0 70000",
                "write -z 131072 131072",
                "write -P 2 400000 3",
                "write -z -u 524288 65536",
                "write -P 3 " + (recipe.size() - 512) + " 512",
                "discard 65536 65536");
        List<Data> expected = mapped(recipe, image);
        try (ServedHere served = recipe.serve(image, scratch.directory("mnt"), transport);
                RawFile file = RawFile.buffered(served.raw())) {
            assertThat(walked(file)).isEqualTo(expected);
        }
        // Writing through the mount changes both in the same way.
        try (ServedHere served = recipe.serve(image, scratch.path("mnt"), transport);
                RawFile file = RawFile.buffered(served.raw())) {
            file.write(recipe.size() / 2, new byte[5000]);
            file.allocate(RawFile.PUNCH_HOLE | RawFile.KEEP_SIZE, 0, recipe.size() / 3);
            file.allocate(RawFile.ZERO_RANGE, recipe.size() - recipe.size() / 4, recipe.size() / 8 + 77);
            expected = walked(file);
        }
        assertThat(mapped(recipe, image)).isEqualTo(expected);
    }

    @ParameterizedTest
    @EnumSource(
            value = Transport.class,
            names = {"KERNEL", "JNR_FUSE"})
    void seeking_at_or_behind_the_end_finds_nothing(Transport transport) throws Exception {
        Path image = scratch.path("disk.qcow2");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", image, MIB);
        try (ServedHere served = ServedHere.serve(image, scratch.directory("mnt"), transport);
                RawFile file = RawFile.buffered(served.raw())) {
            assertNothing(() -> file.seekData(0));
            assertThat(file.seekHole(0)).isZero();
            for (long offset : new long[] {MIB, MIB + 1, 1L << 40}) {
                assertNothing(() -> file.seekData(offset));
                assertNothing(() -> file.seekHole(offset));
            }
            file.write(MIB - 1, new byte[] {1});
            assertThat(file.seekData(0)).isEqualTo(MIB - 65536);
            assertThat(file.seekHole(MIB - 1)).isEqualTo(MIB);
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void sparse_copies_are_whole(ImageRecipe recipe, Transport transport) throws Exception {
        Path image = recipe.create(scratch, new Random(4));
        try (ServedHere served = recipe.serve(image, scratch.directory("mnt"), transport)) {
            try (RawFile file = RawFile.buffered(served.raw())) {
                byte[] fresh = new byte[100_000];
                new Random(5).nextBytes(fresh);
                file.write(recipe.size() / 3, fresh); // not synced: it must be seen all the same
            }
            for (String sparse : List.of("always", "auto")) {
                Path copy = scratch.path(sparse + ".raw");
                scratch.shell()
                        .run("cp", "--sparse=" + sparse, served.raw(), copy)
                        .ok();
                assertThat(Files.mismatch(served.raw(), copy)).as(sparse).isEqualTo(-1);
            }
        }
        assertThat(recipe.flat(scratch, image)).isEqualTo(Files.readAllBytes(scratch.path("auto.raw")));
    }

    private static void assertNothing(ThrowingCallable call) {
        assertThatExceptionOfType(ErrnoException.class)
                .isThrownBy(call)
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ENXIO));
    }

    private static List<Data> walked(RawFile file) throws IOException {
        List<Data> found = new ArrayList<>();
        try {
            for (long at = 0; ; at = found.get(found.size() - 1).end()) {
                long start = file.seekData(at);
                found.add(new Data(start, file.seekHole(start)));
            }
        } catch (ErrnoException end) {
            assertThat(end.errno()).isEqualTo(Errno.ENXIO);
        }
        return found;
    }

    /** What qemu-img says, neighbours that differ only in where they lie taken together. */
    private List<Data> mapped(ImageRecipe recipe, Path image) {
        String map = recipe.qemuImg(scratch, "map", image, "--output=json").out();
        List<Data> found = new ArrayList<>();
        for (Matcher entry = MAPPED.matcher(map); entry.find(); ) {
            if (entry.group(3).equals("true")) {
                continue;
            }
            long start = Long.parseLong(entry.group(1));
            long end = start + Long.parseLong(entry.group(2));
            int last = found.size() - 1;
            if (last >= 0 && found.get(last).end() == start) {
                found.set(last, new Data(found.get(last).start(), end));
            } else {
                found.add(new Data(start, end));
            }
        }
        return found;
    }
}
