package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.fuse.Transport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** File systems in a loop device on a mounted disk, where memory is short: what frees memory must not wait for itself. */
@Tag("system")
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class MemoryPressureTest {

    private static final int PF_MEMALLOC_NOIO = 0x80000;
    private static final int PF_LOCAL_THROTTLE = 0x100000;
    private static final int PF_BOTH = PF_MEMALLOC_NOIO | PF_LOCAL_THROTTLE;

    /** Each pass writes twelve times as much. */
    private static final long USERS_LIMIT = 16L << 20;

    /** The server itself needs half of it. */
    private static final long SERVER_LIMIT = 192L << 20;

    private static final int PASSES = Boolean.getBoolean("qfuse.long") ? 100 : 1;

    @RegisterExtension
    final Scratch scratch = new Scratch();

    static Stream<Arguments> kinds() {
        return Stream.of("ext4", "xfs")
                .flatMap(kind -> Stream.of(Transport.KERNEL, Transport.JNR_FUSE).map(over -> Arguments.of(kind, over)));
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void users_with_little_memory_get_on_and_read_back_what_they_wrote(String kind, Transport transport)
            throws Exception {
        Result mounted = mount(transport);
        try (MemoryLimit users = MemoryLimit.of(USERS_LIMIT);
                MemoryLimit server = MemoryLimit.of(SERVER_LIMIT)) {
            if (marked(mounted) || !MemoryLimit.waitsForWriteBack()) {
                Files.writeString(server.processes(), Files.readString(scratch.path("pid")));
            }
            String loop = scratch.shell()
                    .run("losetup", "-f", "--show", scratch.path("mnt").resolve("disk.raw"))
                    .ok()
                    .out()
                    .strip();
            scratch.shell()
                    .script("mkfs." + kind + " -q " + loop + "; mount " + loop + " fs")
                    .ok();
            for (int pass = 0; pass < PASSES; pass++) {
                scratch.shell()
                        .script("echo $$ > " + users.processes() + "; head -c 96M /dev/urandom > fs/a; sync -f fs;"
                                + " cp fs/a fs/b; seq 2000 | xargs -I% touch fs/%; cmp fs/a fs/b; rm fs/*[0-9] fs/a;"
                                + " fstrim fs; mv fs/b fs/c; sync -f fs; rm fs/c")
                        .ok();
            }
            assertThat(users.timesReached()).isPositive();
            scratch.shell().script("umount fs; losetup -d " + loop).ok();
            Await.until("the loop device is gone", () -> scratch.loopDevices().isEmpty());
            scratch.qfuse().ok("unmount", scratch.path("mnt"));
        }
        scratch.qemuImg().check(scratch.path("disk.qcow2"));
    }

    @ParameterizedTest
    @EnumSource(
            value = Transport.class,
            names = {"KERNEL", "JNR_FUSE"})
    void all_threads_of_the_server_are_io_flushers_or_the_user_is_told_that_they_may_not(Transport transport)
            throws Exception {
        boolean marked = marked(mount(transport));
        List<Integer> flags = new ArrayList<>();
        Path tasks = Path.of("/proc", Files.readString(scratch.path("pid")).strip(), "task");
        try (Stream<Path> threads = Files.list(tasks)) {
            for (Path thread : threads.toList()) {
                String stat = Files.readString(thread.resolve("stat"));
                flags.add(Integer.parseUnsignedInt(
                                stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1)[6])
                        & PF_BOTH);
            }
        }
        assertThat(flags).containsOnly(marked ? PF_BOTH : 0);
        scratch.qfuse().ok("unmount", scratch.path("mnt"));
    }

    private Result mount(Transport transport) throws IOException {
        Path image = scratch.path("disk.qcow2");
        scratch.directory("fs");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", image, "1G");
        String over = Qfuse.over(transport);
        return scratch.qfuse().ok("mount", "--pid-file=pid", over, image, scratch.directory("mnt"));
    }

    private static boolean marked(Result mounted) {
        return !mounted.err().contains("CAP_SYS_RESOURCE");
    }
}
