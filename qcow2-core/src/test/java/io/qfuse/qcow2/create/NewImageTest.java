package io.qfuse.qcow2.create;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.CreateOptions;
import io.qfuse.qcow2.CreateOptions.Compression;
import io.qfuse.qcow2.CreateOptions.Preallocation;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderExtension;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class NewImageTest {

    private static final Path PATH = Path.of("new.qcow2");

    static List<CreateOptions> matrix() {
        List<CreateOptions> matrix = new ArrayList<>();
        for (int clusterBits : new int[] {9, 10, 12, 16, 21}) {
            for (int refcountBits : new int[] {1, 2, 4, 8, 16, 32, 64}) {
                for (long size : new long[] {0, 512, 1_000_448, 67_108_864}) {
                    for (Preallocation preallocation : Preallocation.values()) {
                        int number = matrix.size();
                        boolean v2 = refcountBits == 16 && number % 3 == 0;
                        matrix.add(new CreateOptions(
                                size,
                                1 << clusterBits,
                                v2 ? 2 : 3,
                                refcountBits,
                                !v2 && number % 2 == 0,
                                !v2 && clusterBits >= 14 && number % 3 == 0,
                                !v2 && number % 5 == 0 ? Compression.ZSTD : Compression.ZLIB,
                                preallocation,
                                null,
                                false));
                    }
                }
            }
        }
        return matrix;
    }

    @ParameterizedTest
    @MethodSource("matrix")
    void the_header_says_what_was_asked_for(CreateOptions options) throws IOException {
        Header header = HeaderReader.read(write(options));
        assertThat(header.size()).isEqualTo(options.size());
        assertThat(header.geometry().clusterSize()).isEqualTo(options.clusterSize());
        assertThat(1 << header.refcountOrder()).isEqualTo(options.refcountBits());
        assertThat(header.version()).isEqualTo(options.version());
        assertThat(header.compressionType()).isEqualTo(options.compression() == Compression.ZSTD ? 1 : 0);
        assertThat(header.geometry().extendedL2()).isEqualTo(options.extendedL2());
        assertThat(header.compatible()).isEqualTo(options.lazyRefcounts() ? 1 : 0);
        assertThat(header.extension(HeaderExtension.FEATURE_NAMES).isPresent()).isEqualTo(options.version() == 3);
    }

    @Tag("system")
    @Test
    void qemu_finds_nothing_wrong_with_any_of_the_matrix(@TempDir Path directory) throws IOException {
        for (CreateOptions options : matrix()) {
            Path path = directory.resolve("a.qcow2");
            try (MemoryHostFile file = write(options)) {
                file.saveTo(path);
            }
            QemuImg.Check check = QemuImg.check(path);
            assertThat(check.exit()).as("%s: %s", options, check.output()).isZero();
        }
    }

    @Test
    void feature_names_give_way_to_the_backing_name_in_small_clusters() throws IOException {
        CreateOptions options =
                new CreateOptions(512, 512, 3, 16, false, false, Compression.ZLIB, Preallocation.OFF, null, false);
        String name = "x".repeat(300);
        Header header = HeaderReader.read(write(options.withBacking(name, "raw")));
        assertThat(header.backingFile()).isEqualTo(name);
        assertThat(header.extension(HeaderExtension.FEATURE_NAMES)).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(longs = {137_438_953_473L, Long.MAX_VALUE})
    void a_size_that_no_l1_table_covers_is_refused(long size) {
        CreateOptions options =
                new CreateOptions(size, 512, 3, 16, false, false, Compression.ZLIB, Preallocation.OFF, null, false);
        assertThatThrownBy(() -> NewImage.plan(options, PATH))
                .hasMessage("new.qcow2: size is " + size + ", but clusters of 512 bytes allow at most 137438953472");
    }

    @Test
    void a_preallocation_that_no_refcount_table_covers_is_refused() {
        CreateOptions options = new CreateOptions(
                1L << 37, 512, 3, 64, false, false, Compression.ZLIB, Preallocation.METADATA, null, false);
        assertThatThrownBy(() -> NewImage.plan(options, PATH)).hasMessageContaining("too much to preallocate");
    }

    @Test
    void preallocation_over_a_backing_file_is_refused() {
        CreateOptions options =
                new CreateOptions(512, 512, 3, 64, false, false, Compression.ZLIB, Preallocation.METADATA, null, false);
        assertThatThrownBy(() -> NewImage.plan(options.withBacking("x", "raw"), PATH))
                .hasMessage("new.qcow2: preallocation would hide the backing file: give only one of them");
    }

    private static MemoryHostFile write(CreateOptions options) throws IOException {
        MemoryHostFile file = new MemoryHostFile("new.qcow2");
        NewImage.plan(options, PATH).writeTo(file);
        return file;
    }
}
