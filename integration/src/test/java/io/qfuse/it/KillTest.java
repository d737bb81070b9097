package io.qfuse.it;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.fuse.Transport;
import io.qfuse.it.ImageRecipe.Base;
import io.qfuse.it.ImageRecipe.Content;
import io.qfuse.qcow2.Disk;
import io.qfuse.qcow2.ImageInfo;
import io.qfuse.qcow2.Images;
import io.qfuse.qcow2.OpenOptions;
import io.qfuse.qcow2.check.CheckReport;
import io.qfuse.qcow2.check.ImageChecker;
import io.qfuse.qcow2.format.BitmapRecord;
import io.qfuse.qcow2.format.BitmapTableEntry;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.io.NativeHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Kills servers with SIGKILL at random moments, and looks at the image that each has left: what was synced is there, no block
 * holds another's bytes, and the check finds leaks at worst. An image goes on from one kill to the next.
 *
 * <p>{@code -Dqfuse.kills=N} kills N servers of each kind of image, {@code -Dqfuse.seed=N} takes other moments.
 */
@Tag("system")
@Timeout(value = 3600, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class KillTest {

    private static final int MIB = 1 << 20;
    private static final int KILLS = Integer.getInteger("qfuse.kills", Boolean.getBoolean("qfuse.long") ? 100 : 3);
    private static final long SEED = Long.getLong("qfuse.seed", 1);
    private static final int KILLED = 128 + 9;
    private static final int ROUNDS_BETWEEN_REPAIRS = 5;

    /** What a server is killed in the middle of. */
    private enum Moment {
        OPENING,
        SERVING,
        /** Unmounting while the disk is written to. */
        CUT_OFF,
        /** Unmounting a disk that nobody uses, and storing its bitmaps. */
        UNMOUNTING;

        private static final List<Moment> WEIGHTED =
                List.of(OPENING, SERVING, SERVING, SERVING, CUT_OFF, UNMOUNTING, UNMOUNTING);

        static Moment any(Random random) {
            return WEIGHTED.get(random.nextInt(WEIGHTED.size()));
        }
    }

    @RegisterExtension
    final Scratch scratch = new Scratch();

    private final Map<Moment, Integer> killed = new EnumMap<>(Moment.class);
    private final List<String> mountWords = new ArrayList<>();
    private Path image = Path.of("");
    private Path mountPoint = Path.of("");
    private Path pidFile = Path.of("");
    private long operations;
    private int ended;

    static Stream<Arguments> kinds() {
        return Stream.of(
                kind("cluster_size=64k", 16 * MIB, Base.NONE, Content.NOTHING),
                kind("cluster_size=4k", 8 * MIB, Base.RAW, Content.NOTHING, "--cache-size=256K"),
                kind("cluster_size=512", 2 * MIB, Base.NONE, Content.NOTHING, "--cache-size=256K"),
                kind("cluster_size=64k,extended_l2=on", 16 * MIB, Base.CHAIN, Content.NOTHING),
                kind("cluster_size=64k", 16 * MIB, Base.NONE, Content.COMPRESSED),
                kind("cluster_size=16k", 8 * MIB, Base.CHAIN, Content.SNAPSHOT),
                kind("cluster_size=4k,lazy_refcounts=on", 8 * MIB, Base.NONE, Content.NOTHING),
                kind("cluster_size=64k,data_file=data", 8 * MIB, Base.RAW, Content.NOTHING),
                kind("cluster_size=4k,data_file=data,data_file_raw=on", 8 * MIB, Base.NONE, Content.NOTHING),
                kind("cluster_size=64k", 8 * MIB, Base.RAW, Content.ENCRYPTED),
                kind("cluster_size=512,refcount_bits=8", 4 * MIB, Base.NONE, Content.BITMAP));
    }

    private static Arguments kind(String options, int size, Base base, Content content, String... mountWords) {
        return Arguments.of(new ImageRecipe("compat=1.1," + options, size, base, content), List.of(mountWords));
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("kinds")
    void whenever_a_server_is_killed_all_that_was_synced_is_there_and_the_check_finds_leaks_at_worst(
            ImageRecipe recipe, List<String> words) throws Exception {
        Random random = new Random(SEED + (recipe + " " + words).hashCode());
        image = recipe.create(scratch, random);
        mountPoint = scratch.directory("mnt");
        pidFile = scratch.path("pid");
        mountWords.addAll(recipe.mountWords());
        mountWords.addAll(words);
        FsyncLog log = new FsyncLog(recipe.size());
        for (int round = 1; round <= KILLS; round++) {
            Moment moment = Moment.any(random);
            try {
                prepare(recipe, random);
                byte[] before = read(recipe);
                log.begin(before);
                round(moment, log, random);
                byte[] after = read(recipe);
                log.check(after);
                checkImage(recipe, round % ROUNDS_BETWEEN_REPAIRS == 0);
                checkBitmap(recipe, before, after);
            } catch (Exception | AssertionError e) {
                throw new AssertionError("round " + round + " (" + moment + ") of " + recipe + ", seed " + SEED, e);
            }
        }
        byte[] last = read(recipe);
        Images.open(image, recipe.open()).close();
        assertThat(read(recipe)).as("the disk after a last repair").isEqualTo(last);
        checkImage(recipe, true);
        System.out.println("KillTest: " + killed + " killed after " + operations + " operations, " + ended
                + " had ended before; " + recipe + ", seed " + SEED);
    }

    private void round(Moment moment, FsyncLog log, Random random) throws Exception {
        Process server = startServer(random);
        if (moment == Moment.OPENING) {
            Object before = Files.getLastModifiedTime(image);
            Await.until(
                    "the server changes the image or serves",
                    () -> serves(server) || !Files.getLastModifiedTime(image).equals(before));
            pause(random, 3);
        } else {
            Await.until("the server serves", () -> serves(server));
            DiskLoad load = DiskLoad.start(mountPoint.resolve("disk.raw"), log, random.nextLong());
            pause(random, 250);
            if (moment == Moment.UNMOUNTING) {
                load.stop();
                load.join();
            }
            if (moment != Moment.SERVING) {
                server.destroy();
                pause(random, 25);
            }
            kill(server);
            load.join();
            operations += load.operations();
        }
        kill(server);
        if (server.exitValue() == 0) {
            ended++;
            log.synced(log.returned());
        } else {
            assertThat(server.exitValue()).as("the server's end").isEqualTo(KILLED);
            killed.merge(moment, 1, Integer::sum);
        }
    }

    /** A thread that waited for its own server's answer would keep the server for ever, and the image locked. */
    private static void kill(Process server) throws InterruptedException {
        server.destroyForcibly();
        assertThat(server.waitFor(60, TimeUnit.SECONDS))
                .as("whether the server ends")
                .isTrue();
    }

    /** Starts a server that compiles less: it starts faster. */
    private Process startServer(Random random) throws IOException {
        Files.deleteIfExists(pidFile);
        List<Transport> transports = List.of(Transport.KERNEL, Transport.JNR_FUSE);
        Shell shell = scratch.shell().with("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1");
        List<Object> words = new ArrayList<>(List.of("mount", "--foreground", "--pid-file=" + pidFile));
        words.add(Qfuse.over(transports.get(random.nextInt(transports.size()))));
        words.addAll(mountWords);
        words.addAll(List.of(image, mountPoint));
        return new Qfuse(shell, Qfuse.LAUNCHER).start(words.toArray());
    }

    private boolean serves(Process server) throws IOException {
        if (!server.isAlive()) {
            throw new AssertionError(
                    "the server ended: " + new String(server.getErrorStream().readAllBytes(), UTF_8));
        }
        return Files.exists(pidFile) && Files.size(pidFile) > 0;
    }

    private static void pause(Random random, int mostMillis) {
        long end = System.nanoTime() + (long) (random.nextDouble() * TimeUnit.MILLISECONDS.toNanos(mostMillis));
        while (System.nanoTime() < end) {
            LockSupport.parkNanos(end - System.nanoTime());
        }
    }

    /** Leaves an image whose refcounts the next server has to repair, or puts a valid bitmap into the place of one left in use. */
    private void prepare(ImageRecipe recipe, Random random) throws IOException {
        if (recipe.options().contains("lazy_refcounts")) {
            String write = "write -P 7 " + random.nextInt(recipe.size() / 8192) * 4096L + " 256k";
            Result died = scratch.shell().run("qemu-io", "-f", "qcow2", "-c", write, "-c", "sigraise 9", image);
            assertThat(died.exit()).as(died.toString()).isEqualTo(KILLED);
        }
        if (recipe.content() == Content.BITMAP && bitmap().has(BitmapRecord.IN_USE)) {
            scratch.qemuImg().ok("bitmap", "--remove", image, ImageRecipe.BITMAP);
            recipe.addBitmap(scratch, image);
        }
    }

    private byte[] read(ImageRecipe recipe) throws IOException {
        return read(image, recipe.open().withWritable(false));
    }

    /** All bytes of a disk. */
    static byte[] read(Path image, OpenOptions how) throws IOException {
        try (Disk disk = Images.open(image, how);
                NativeBuffer buffer = NativeBuffer.allocate((int) disk.size())) {
            disk.read(0, buffer.address(), buffer.size());
            byte[] bytes = new byte[buffer.size()];
            NativeBuffer.get(buffer.address(), bytes, 0, bytes.length);
            return bytes;
        }
    }

    private void checkImage(ImageRecipe recipe, boolean alsoByQemu) throws IOException {
        try (NativeHostFile file = NativeHostFile.open(image, false)) {
            if ((ImageInfo.read(image).header().incompatible() & Features.DIRTY) != 0) {
                return; // its refcounts say nothing until it is repaired
            }
            CheckReport report = ImageChecker.check(file);
            assertThat(report.isSafe()).as(report.toString()).isTrue();
        }
        if (alsoByQemu) {
            recipe.qemuImg(scratch, "check", image, "-r", "leaks");
        }
    }

    private BitmapRecord bitmap() throws IOException {
        return ImageInfo.read(image).bitmaps().get(0);
    }

    /** A bitmap is marked in use, or knows all that has changed. */
    private void checkBitmap(ImageRecipe recipe, byte[] before, byte[] after) throws IOException {
        if (recipe.content() != Content.BITMAP || bitmap().has(BitmapRecord.IN_USE)) {
            return;
        }
        BitSet bits = bits(bitmap());
        int granule = 1 << bitmap().granularityBits();
        for (int at = 0; at < after.length; at += granule) {
            if (!Arrays.equals(before, at, at + granule, after, at, at + granule)) {
                assertThat(bits.get(at / granule))
                        .as("the bit of the change at " + at)
                        .isTrue();
            }
        }
    }

    private BitSet bits(BitmapRecord bitmap) throws IOException {
        try (NativeHostFile file = NativeHostFile.open(image, false)) {
            byte[] table = new byte[(int) bitmap.tableSize() * Long.BYTES];
            file.read(bitmap.tableOffset(), table);
            int clusterSize = ImageInfo.read(image).header().geometry().clusterSize();
            ByteBuffer bits = ByteBuffer.allocate((int) bitmap.tableSize() * clusterSize);
            byte[] cluster = new byte[clusterSize];
            while (bits.hasRemaining()) {
                long entry = ByteBuffer.wrap(table).getLong(bits.position() / clusterSize * Long.BYTES);
                Arrays.fill(cluster, (byte) (entry == BitmapTableEntry.ALL_ONES ? -1 : 0));
                if (BitmapTableEntry.hostOffset(entry) != 0) {
                    file.read(BitmapTableEntry.hostOffset(entry), cluster);
                }
                bits.put(cluster);
            }
            return BitSet.valueOf(bits.array());
        }
    }
}
