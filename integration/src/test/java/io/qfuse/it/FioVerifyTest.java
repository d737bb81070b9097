package io.qfuse.it;

import io.qfuse.fuse.Transport;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * fio writes blocks that carry their own checksums, many at once and of mixed sizes, and reads them back: right away, after
 * a remount, and out of the image by qemu-img.
 */
@Tag("system")
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FioVerifyTest {

    /** Each job has its own part of the disk; the parts meet in the middle of clusters. */
    private static final String JOBS = """
            [global]
            filename=${RAW}
            rw=randwrite
            verify=crc32c
            verify_fatal=1
            verify_state_save=0
            group_reporting
            randseed=4711
            end_fsync=1

            [cached]
            ioengine=psync
            bssplit=4k/50:20k/30:128k/20
            offset=0
            size=9999k
            fsync=50

            [cached-unaligned]
            ioengine=psync
            bssplit=512/60:2560/30:60k/10
            offset=9999k
            size=3999k

            [deep]
            ioengine=libaio
            direct=1
            iodepth=32
            bssplit=4k/70:16k/20:256k/10
            offset=13999k
            size=20001k

            [huge]
            ioengine=libaio
            direct=1
            iodepth=4
            bs=1M
            offset=34000k
            size=16M

            [uring]
            ioengine=io_uring
            direct=1
            iodepth=16
            bs=4k
            offset=50384k
            size=8M
            """;

    @RegisterExtension
    final Scratch scratch = new Scratch();

    static Stream<Arguments> kinds() {
        return Stream.of(
                Arguments.of("compat=1.1,cluster_size=64k", Transport.KERNEL),
                Arguments.of("compat=1.1,cluster_size=4k,refcount_bits=1", Transport.KERNEL),
                Arguments.of("compat=1.1,cluster_size=64k,extended_l2=on", Transport.JNR_FUSE),
                Arguments.of("compat=0.10,cluster_size=2M", Transport.JNR_FUSE));
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void parallel_writers_read_back_what_they_wrote(String options, Transport transport) throws Exception {
        Path image = scratch.path("disk.qcow2");
        Path mountPoint = scratch.directory("mnt");
        Path raw = mountPoint.resolve("disk.raw");
        Files.writeString(scratch.path("jobs.fio"), JOBS);
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "-o", options, image, "64M");
        String over = Qfuse.over(transport);

        scratch.qfuse().ok("mount", over, image, mountPoint);
        fio(raw);
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.qemuImg().check(image);

        scratch.qfuse().ok("mount", over, image, mountPoint);
        fio(raw, "--verify_only");
        scratch.qfuse().ok("unmount", mountPoint);

        Path copy = scratch.path("copy.raw");
        scratch.qemuImg().ok("convert", "-f", "qcow2", "-O", "raw", image, copy);
        fio(copy, "--verify_only");
    }

    private void fio(Path raw, String... more) {
        Stream<Object> words = Stream.concat(Stream.of("fio", "jobs.fio"), Stream.of(more));
        scratch.shell().with("RAW", raw.toString()).run(words.toArray()).ok();
    }
}
