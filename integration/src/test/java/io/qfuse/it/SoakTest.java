package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * A server under load for a while: 32 jobs of fio that verify what they write, some that give space back and reserve it
 * again, with fsync in all of them. Nothing that the server holds may grow. How long it takes is {@code qfuse.soak}, in seconds.
 */
@Tag("system")
class SoakTest {

    private static final int MIB = 1 << 20;
    private static final int SECONDS = Integer.getInteger("qfuse.soak", Boolean.getBoolean("qfuse.long") ? 3600 : 120);

    /** All code is compiled and all caches are full by then. */
    private static final int WARM_SECONDS = Math.min(SECONDS / 3, 120);

    private static final int HEAP_MAY_GROW = 8 * MIB;
    private static final int MEMORY_MAY_GROW = 48 * MIB;

    private static final String JOBS = """
            [global]
            filename=${RAW}
            size=8M
            offset_increment=8M
            time_based
            runtime=${SECONDS}
            randseed=4711
            verify=crc32c
            verify_fatal=1
            verify_state_save=0
            verify_backlog=256
            group_reporting
            percentile_list=50:99:99.9

            [cached]
            numjobs=10
            ioengine=psync
            rw=randwrite
            bssplit=512/20:4k/50:60k/30
            fsync=32

            [deep]
            numjobs=10
            offset=80M
            ioengine=libaio
            direct=1
            iodepth=8
            rw=randwrite
            bssplit=4k/70:16k/20:256k/10
            fdatasync=64

            [large]
            numjobs=4
            offset=160M
            ioengine=libaio
            direct=1
            iodepth=2
            rw=write
            bs=1M
            fsync=8

            [readers]
            numjobs=4
            offset=0
            ioengine=psync
            rw=randread
            bs=4k
            verify=0

            [reserved]
            numjobs=4
            offset=192M
            ioengine=falloc
            rw=randtrimwrite
            bs=64k
            verify=0
            rate_iops=500
            """;

    private static final Pattern LATENCY = Pattern.compile("\"99\\.900000\" : (\\d+)");

    @RegisterExtension
    final Scratch scratch = new Scratch();

    /** What a server holds; bytes but for the last. */
    private record Holding(long heap, long memory, long descriptors) {}

    @Test
    void a_server_under_load_keeps_every_byte_and_holds_no_more_in_the_end() throws Exception {
        Path image = scratch.path("disk.qcow2");
        Path base = scratch.path("base.qcow2");
        Path mountPoint = scratch.directory("mnt");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", base, "224M");
        scratch.qemuIo().on(base, "write -P 5 0 100M");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", image);
        scratch.qfuse().ok("mount", "--pid-file=pid", image, mountPoint);
        long server = Long.parseLong(Files.readString(scratch.path("pid")).strip());
        Files.writeString(scratch.path("jobs.fio"), JOBS);

        Process fio = scratch.shell()
                .with("RAW", mountPoint.resolve("disk.raw").toString())
                .with("SECONDS", Integer.toString(SECONDS))
                .start("sh", "-c", "exec fio --output=report --output-format=json jobs.fio 2> errors");
        assertThat(fio.waitFor(WARM_SECONDS, TimeUnit.SECONDS)).isFalse();
        Holding warm = held(server);
        List<Holding> later = new ArrayList<>();
        while (!fio.waitFor(Math.max(2, SECONDS / 100), TimeUnit.SECONDS)) {
            later.add(held(server));
        }
        assertThat(fio.exitValue()).as(Files.readString(scratch.path("errors"))).isZero();
        report(warm, later);
        assertThat(later).allSatisfy(now -> {
            assertThat(now.heap).isLessThan(warm.heap + HEAP_MAY_GROW);
            assertThat(now.memory).isLessThan(warm.memory + MEMORY_MAY_GROW);
            assertThat(now.descriptors).isLessThanOrEqualTo(warm.descriptors);
        });
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.qemuImg().check(image);
    }

    private void report(Holding warm, List<Holding> later) throws IOException {
        System.out.printf(
                "soaked for %d s; held when warm: %s, and at the end: %s%n",
                SECONDS, warm, later.get(later.size() - 1));
        Matcher latency = LATENCY.matcher(Files.readString(scratch.path("report")));
        List<String> micros = new ArrayList<>();
        while (latency.find()) {
            micros.add(Long.toString(Long.parseLong(latency.group(1)) / 1000));
        }
        System.out.println("p99.9 of each group's reads, writes, trims and syncs, in µs: " + String.join(" ", micros));
    }

    private Holding held(long server) throws IOException {
        Path process = Path.of("/proc", Long.toString(server));
        String status = Files.readString(process.resolve("status"));
        Matcher resident = Pattern.compile("VmRSS:\\s+(\\d+) kB").matcher(status);
        assertThat(resident.find()).isTrue();
        try (Stream<Path> descriptors = Files.list(process.resolve("fd"))) {
            return new Holding(live(server), Long.parseLong(resident.group(1)) << 10, descriptors.count());
        }
    }

    /** Bytes of all objects that are left after a collection. */
    private long live(long server) {
        String histogram =
                scratch.shell().run("jcmd", server, "GC.class_histogram").ok().out();
        Matcher total = Pattern.compile("(?m)^Total\\s+\\d+\\s+(\\d+)").matcher(histogram);
        assertThat(total.find()).as(histogram).isTrue();
        return Long.parseLong(total.group(1));
    }
}
