package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.fuse.Transport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What {@code qfuse stats} tells, and to whom. */
@Tag("system")
class StatsCommandTest {

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path image = Path.of("");
    private Path mountPoint = Path.of("");

    @BeforeEach
    void make_an_image() throws IOException {
        image = scratch.path("disk.qcow2");
        mountPoint = scratch.directory("mnt");
        scratch.qfuse().ok("create", image, "64M");
    }

    @AfterEach
    void nothing_is_left_mounted() throws IOException {
        scratch.qfuse().run("unmount", mountPoint);
        assertThat(scratch.mounts()).isEmpty();
    }

    /** The fields of one object in the JSON on one line, without spaces. */
    private String stats(Path of) {
        return scratch.qfuse().ok("stats", "--json", of).out().replaceAll("\\s", "");
    }

    private static String object(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\":\\{((?:[^{}]|\\{[^{}]*\\})*)\\}")
                .matcher(json);
        assertThat(found.find()).as("%s in %s", name, json).isTrue();
        return found.group(1);
    }

    private static double number(String object, String name) {
        Matcher found =
                Pattern.compile("\"" + name + "\":([0-9.]+(?:E-?[0-9]+)?)[,}]?").matcher(object);
        assertThat(found.find()).as("%s in %s", name, object).isTrue();
        return Double.parseDouble(found.group(1));
    }

    @ParameterizedTest
    @EnumSource(
            value = Transport.class,
            names = {"KERNEL", "JNR_FUSE"})
    void requests_are_told_as_they_were_made(Transport transport) {
        scratch.qfuse().ok("mount", Qfuse.over(transport), image, mountPoint);
        scratch.shell()
                .script(
                        "dd if=/dev/urandom of=mnt/disk.raw bs=64K count=16 oflag=direct conv=notrunc,fsync status=none;"
                                + " dd if=mnt/disk.raw of=copy bs=4K count=20 iflag=direct status=none")
                .ok();
        // libfuse2 has replied before a request is counted.
        String json =
                await(stats -> stats.contains("\"read\":{\"count\":20,") && stats.contains("\"fsync\":{\"count\":1,"));
        String write = object(json, "write");
        assertThat(number(write, "count")).isEqualTo(16);
        assertThat(number(write, "bytes")).isEqualTo(16 << 16);
        assertThat(number(write, "failed")).isZero();
        String read = object(json, "read");
        assertThat(number(read, "bytes")).isEqualTo(20 * 4096);
        String latencies = object(read, "latency_ns");
        double p50 = number(latencies, "p50");
        double p99 = number(latencies, "p99");
        double max = number(latencies, "max");
        assertThat(p50).isPositive();
        assertThat(p99).isBetween(p50, max);
        assertThat(number(latencies, "p99_9")).isBetween(p99, max);
        assertThat(number(object(json, "l2"), "hit_ratio")).isBetween(0.5, 1.0);
        assertThat(number(object(json, "refcounts"), "hit_ratio")).isBetween(0.0, 1.0);
        String host = object(json, "host");
        assertThat(number(host, "writes")).isGreaterThanOrEqualTo(16);
        assertThat(number(host, "written_bytes")).isGreaterThanOrEqualTo(16 << 16);
        assertThat(number(host, "reads_per_request")).isBetween(20.0 / 36, 3.0);
        String checkpoints = object(json, "checkpoints");
        assertThat(number(checkpoints, "count")).isEqualTo(1);
        assertThat(number(checkpoints, "longest_ns")).isPositive();
        assertThat(number(host, "sync_ns")).isBetween(1.0, number(checkpoints, "total_ns"));
    }

    private String await(Predicate<String> counted) {
        String json = stats(mountPoint);
        for (int i = 0; i < 10 && !counted.test(json); i++) {
            json = stats(mountPoint);
        }
        return json;
    }

    @Test
    void people_get_a_table_and_the_mount_shows_what_it_showed() throws IOException {
        Path file = Files.createFile(scratch.path("over"));
        scratch.qfuse().ok("mount", image, file);
        assertThat(scratch.qfuse().ok("stats", file).out())
                .contains("mounted for ", "requests ", "L2 tables ", "checkpoints ")
                .doesNotContain("hint");
        scratch.qfuse().ok("unmount", file);
        scratch.qfuse().ok("mount", image, mountPoint);
        assertThat(scratch.shell().script("ls -A mnt; : < mnt/disk.raw").ok().out())
                .isEqualTo("disk.raw\n");
        assertThat(scratch.qfuse().ok("stats", mountPoint).out()).contains("lookup ");
    }

    @Test
    void decompressed_clusters_and_their_hits_are_told() {
        scratch.shell()
                .script("head -c 1M /usr/bin/env > raw; truncate -s 1M raw;"
                        + " qemu-img convert -c -O qcow2 -f raw raw small.qcow2")
                .ok();
        scratch.qfuse().ok("mount", "--read-only", "small.qcow2", mountPoint);
        scratch.shell()
                .script("dd if=mnt/small.raw of=copy bs=4K count=8 iflag=direct status=none")
                .ok();
        String cache = object(stats(mountPoint), "decompressed");
        assertThat(number(cache, "hits")).isEqualTo(8);
        assertThat(number(cache, "misses"))
                .as("by the mount, which has read the beginning")
                .isEqualTo(1);
        assertThat(number(cache, "hit_ratio")).isEqualTo(0.8889);
    }

    @Test
    void only_root_and_the_mounting_user_are_told() throws IOException {
        scratch.shell().script("chmod 666 disk.qcow2").ok();
        scratch.qfuse().ok("mount", image, mountPoint);
        Qfuse user = scratch.qfuseAsOrdinaryUser();
        Result refused = user.run("stats", mountPoint).ended(1);
        assertThat(refused.err()).isEqualTo("qfuse: " + mountPoint + ": only root, who has mounted it, may ask\n");
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.shell()
                .script("chown " + Shell.ORDINARY_USER + " disk.qcow2 mnt")
                .ok();
        user.ok("mount", "--allow-other=off", image, mountPoint);
        assertThat(user.ok("stats", mountPoint).out()).startsWith("mounted for ");
        assertThat(scratch.qfuse().run("stats", mountPoint).ended(1).err())
                .contains("only user " + Shell.ORDINARY_USER + ", who has mounted it")
                .hasLineCount(1);
        user.ok("unmount", mountPoint);
    }

    @Test
    void what_cannot_be_asked_is_told_in_one_line() throws Exception {
        assertThat(scratch.qfuse().run("stats", mountPoint).ended(1).err())
                .isEqualTo("qfuse: " + mountPoint + ": nothing is mounted there\n");
        assertThat(scratch.qfuse().run("stats", "/proc").ended(1).err())
                .isEqualTo("qfuse: /proc: is no mount of qfuse, but of type proc\n");
        assertThat(scratch.qfuse().run("stats").ended(2).err()).contains("MOUNTPOINT");
        scratch.qfuse().ok("mount", "--pid-file=pid", image, mountPoint);
        scratch.shell().script("kill -9 $(cat pid)").ok();
        Await.until("the server is gone", () -> scratch.shell().run("ls", "mnt").exit() != 0);
        assertThat(scratch.qfuse().run("stats", mountPoint).ended(1).err())
                .isEqualTo("qfuse: " + mountPoint + ": its server is gone; qfuse unmount cleans up behind it\n");
    }
}
