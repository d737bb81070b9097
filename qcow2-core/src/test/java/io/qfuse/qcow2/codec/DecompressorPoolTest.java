package io.qfuse.qcow2.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdCompressCtx;
import com.github.luben.zstd.ZstdOutputStream;
import io.qfuse.qcow2.io.NativeBuffer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.zip.Deflater;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class DecompressorPoolTest {

    private static final int DEFLATE = 0;
    private static final int ZSTD = 1;

    private final DecompressorPool deflate = DecompressorPool.of(DEFLATE);
    private final DecompressorPool zstd = DecompressorPool.of(ZSTD);

    @AfterEach
    void close() {
        deflate.close();
        zstd.close();
    }

    @ParameterizedTest
    @CsvSource({"0,512", "0,65536", "0,2097152", "1,512", "1,65536", "1,2097152"})
    void a_stream_followed_by_garbage_gives_its_cluster(int type, int clusterSize) throws DecompressException {
        byte[] cluster = text(clusterSize, 1);
        byte[] stream = compress(type, cluster);
        byte[] sectors = Arrays.copyOf(stream, stream.length + 300);
        Arrays.fill(sectors, stream.length, sectors.length, (byte) 0xa5);
        byte[] out = new byte[clusterSize];
        decompress(pool(type), sectors, sectors.length, out);
        assertThat(out).isEqualTo(cluster);
    }

    @ParameterizedTest
    @ValueSource(ints = {DEFLATE, ZSTD})
    void a_stream_that_gives_too_little_is_refused(int type) {
        byte[] stream = compress(type, text(4095, 1));
        assertRefused(type, stream, 4096, "4095 of 4096 bytes");
    }

    @ParameterizedTest
    @ValueSource(ints = {DEFLATE, ZSTD})
    void a_stream_that_is_cut_off_is_refused(int type) {
        byte[] stream = compress(type, text(65536, 1));
        for (int length : new int[] {0, 1, stream.length / 2, stream.length - 8}) {
            assertRefused(type, Arrays.copyOf(stream, length), 65536, " of 65536 bytes");
        }
    }

    @Test
    void a_deflate_stream_that_goes_on_is_cut_at_the_cluster() throws DecompressException {
        byte[] out = new byte[4096];
        byte[] stream = compress(DEFLATE, text(8192, 1));
        decompress(deflate, stream, stream.length, out);
        assertThat(out).isEqualTo(Arrays.copyOf(text(8192, 1), 4096));
    }

    @Test
    void a_zstd_stream_that_goes_on_is_refused() {
        assertRefused(ZSTD, compress(ZSTD, text(300_000, 1)), 65536, "does not end with the cluster");
    }

    @Test
    void several_zstd_frames_make_one_cluster() throws DecompressException, IOException {
        byte[] cluster = text(65536, 1);
        ByteArrayOutputStream frames = new ByteArrayOutputStream();
        for (int at = 0; at < cluster.length; at += 16384) {
            frames.write(compress(ZSTD, Arrays.copyOfRange(cluster, at, at + 16384)));
        }
        byte[] out = new byte[65536];
        decompress(zstd, frames.toByteArray(), frames.size(), out);
        assertThat(out).isEqualTo(cluster);
    }

    @Test
    void a_zstd_frame_of_unknown_length_with_a_checksum_is_read() throws DecompressException, IOException {
        byte[] cluster = text(65536, 1);
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        try (ZstdOutputStream out = new ZstdOutputStream(stream)) {
            out.setChecksum(true);
            out.write(cluster);
        }
        byte[] out = new byte[65536];
        decompress(zstd, stream.toByteArray(), stream.size(), out);
        assertThat(out).isEqualTo(cluster);
    }

    @Test
    void a_zstd_frame_that_asks_for_a_huge_window_is_refused() throws IOException {
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        try (ZstdOutputStream out = new ZstdOutputStream(stream)) {
            out.setLong(27);
            out.write(text(65536, 1));
        }
        assertRefused(ZSTD, stream.toByteArray(), 65536, "the zstd stream is damaged");
    }

    @Test
    void damage_is_told_and_the_next_stream_is_read_all_the_same() throws DecompressException {
        byte[] cluster = text(65536, 2);
        for (int type : new int[] {DEFLATE, ZSTD}) {
            byte[] stream = compress(type, cluster);
            byte[] damaged = stream.clone();
            Arrays.fill(damaged, 0, 16, (byte) 0xff);
            assertRefused(type, damaged, 65536, "damaged");
            byte[] out = new byte[65536];
            decompress(pool(type), stream, stream.length, out);
            assertThat(out).isEqualTo(cluster);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {DEFLATE, ZSTD})
    void random_damage_gives_a_cluster_or_a_reason_and_nothing_else(int type) {
        byte[] good = compress(type, text(4096, 3));
        byte[] out = new byte[4096];
        for (long seed = 0; seed < 5000; seed++) {
            Random random = new Random(seed);
            byte[] stream = good.clone();
            for (int i = random.nextInt(3); i >= 0; i--) {
                stream[random.nextInt(stream.length)] = (byte) random.nextInt();
            }
            try {
                decompress(pool(type), stream, random.nextInt(stream.length + 1), out);
            } catch (DecompressException expected) {
                assertThat(expected.getMessage()).isNotEmpty();
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }

    @Test
    void what_the_jdk_inflates_is_inflated_to_the_same_bytes_by_any_library() {
        byte[] good = compress(DEFLATE, text(4096, 3));
        byte[] expected = new byte[4096];
        byte[] out = new byte[4096];
        try (Decompressor jdk = new DeflateDecompressor()) {
            for (long seed = 0; seed < 1000; seed++) {
                Random random = new Random(seed);
                byte[] stream = Arrays.copyOf(good, good.length + random.nextInt(512));
                stream[random.nextInt(stream.length)] = (byte) random.nextInt();
                try {
                    decompress(jdk, stream, stream.length, expected);
                } catch (DecompressException damaged) {
                    continue;
                }
                try {
                    decompress(deflate, stream, stream.length, out);
                } catch (DecompressException e) {
                    throw new AssertionError("seed " + seed, e);
                }
                assertThat(out).as("seed %d", seed).isEqualTo(expected);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {DEFLATE, ZSTD})
    void many_threads_share_a_pool(int type) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try {
            List<Future<Boolean>> results = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                byte[] cluster = text(16384, i);
                byte[] stream = compress(type, cluster);
                Callable<Boolean> work = () -> {
                    byte[] out = new byte[cluster.length];
                    decompress(pool(type), stream, stream.length, out);
                    return Arrays.equals(out, cluster);
                };
                results.add(threads.submit(work));
            }
            for (Future<Boolean> result : results) {
                assertThat(result.get()).isTrue();
            }
        } finally {
            threads.shutdown();
        }
    }

    /** Runs a decompressor on memory that holds not one byte more than it may touch. */
    private static void decompress(Decompressor decompressor, byte[] stream, int length, byte[] out)
            throws DecompressException {
        try (NativeBuffer in = NativeBuffer.allocate(Math.max(1, length));
                NativeBuffer cluster = NativeBuffer.allocate(out.length)) {
            NativeBuffer.put(in.address(), stream, 0, length);
            decompressor.decompress(in.address(), length, cluster.address(), out.length);
            NativeBuffer.get(cluster.address(), out, 0, out.length);
        }
    }

    private void assertRefused(int type, byte[] stream, int clusterSize, String reason) {
        assertThatThrownBy(() -> decompress(pool(type), stream, stream.length, new byte[clusterSize]))
                .isInstanceOf(DecompressException.class)
                .hasMessageContaining(reason);
    }

    private DecompressorPool pool(int type) {
        return type == ZSTD ? zstd : deflate;
    }

    private static byte[] compress(int type, byte[] cluster) {
        if (type == ZSTD) {
            try (ZstdCompressCtx context = new ZstdCompressCtx()) {
                return context.compress(cluster);
            }
        }
        Deflater deflater = new Deflater(Deflater.DEFAULT_COMPRESSION, true);
        deflater.setInput(cluster);
        deflater.finish();
        byte[] out = new byte[(int) Zstd.compressBound(cluster.length)];
        int length = deflater.deflate(out);
        deflater.end();
        return Arrays.copyOf(out, length);
    }

    /** Compressible, but not trivially. */
    private static byte[] text(int length, long seed) {
        Random random = new Random(seed);
        byte[] text = new byte[length];
        for (int i = 0; i < length; i++) {
            text[i] = (byte) ('a' + random.nextInt(9));
        }
        return text;
    }
}
