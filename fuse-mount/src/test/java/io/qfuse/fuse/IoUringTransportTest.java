package io.qfuse.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** How the io_uring transport begins, what it does where it is not to be had, and how it ends. */
@Tag("system")
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class IoUringTransportTest {

    private static final int SIZE = 1 << 22;

    @TempDir
    Path temporary = Path.of("");

    private final MemoryDisk disk = new MemoryDisk(SIZE, true);

    private final List<IoUringSwitch> switches = new ArrayList<>();

    private Mount mount() throws IOException {
        return Mount.serve(List.of(image()), temporary, MountOptions.defaults(), Transport.IO_URING);
    }

    private ServedImage image() {
        return ServedImage.of(disk, Path.of("/x/disk.qcow2"));
    }

    private static List<String> hintsOnRings(Mount mount) {
        return mount.hints().stream().filter(hint -> hint.contains("io_uring")).toList();
    }

    @AfterEach
    void nothing_is_left() throws IOException {
        switches.forEach(IoUringSwitch::close);
        assertThat(MountTable.read().ours())
                .noneMatch(entry -> entry.mountPoint().startsWith(temporary));
        assertThat(threads()).isEmpty();
        assertThat(ringDescriptors()).isEmpty();
        assertThat(Files.readString(Path.of("/proc/self/maps"))).doesNotContain("io_uring");
    }

    private static List<String> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.startsWith("fuse-"))
                .toList();
    }

    private static List<String> ringDescriptors() throws IOException {
        List<String> found = new ArrayList<>();
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            for (Path descriptor : descriptors.toList()) {
                if (Files.isSymbolicLink(descriptor)) {
                    String target = Files.readSymbolicLink(descriptor).toString();
                    if (target.contains("io_uring") || target.equals("/dev/fuse")) {
                        found.add(target);
                    }
                }
            }
        }
        return found;
    }

    @Test
    void requests_come_over_a_ring_for_each_processor() throws Exception {
        switches.add(IoUringSwitch.enabled(true));
        try (Mount mount = mount()) {
            assertThat(hintsOnRings(mount)).isEmpty();
            assertThat(threads()).contains("fuse-0", "fuse-ring-0");
            assertThat(ringDescriptors()).contains("anon_inode:[io_uring]");
            assertThat(Files.readAllBytes(mount.rawFile(image()))).hasSize(SIZE);
        }
    }

    @Test
    void unmount_under_load_leaves_nothing() throws Exception {
        switches.add(IoUringSwitch.enabled(true));
        List<Thread> users = new ArrayList<>();
        var reads = new AtomicInteger();
        try (Mount mount = mount()) {
            Path raw = mount.rawFile(image());
            for (int i = 0; i < 4; i++) {
                users.add(new Thread(() -> readUntilCutOff(raw, reads)));
            }
            users.forEach(Thread::start);
            while (reads.get() < 500) {
                Thread.sleep(1);
            }
        }
        for (Thread user : users) {
            user.join();
        }
    }

    private static void readUntilCutOff(Path raw, AtomicInteger reads) {
        ByteBuffer page = ByteBuffer.allocateDirect(8192).alignedSlice(4096).slice(0, 4096);
        try (var file = FileChannel.open(raw, StandardOpenOption.READ, DirectIo.DIRECT)) {
            for (long at = 0; ; at = (at + 4096) % SIZE) {
                file.read(page.clear(), at);
                reads.incrementAndGet();
            }
        } catch (IOException cutOff) {
            // as it shall be
        }
    }

    @Test
    void a_kernel_that_is_told_not_to_is_served_the_other_way() throws Exception {
        switches.add(IoUringSwitch.enabled(false));
        try (Mount mount = mount()) {
            assertThat(hintsOnRings(mount))
                    .singleElement()
                    .asString()
                    .contains("/dev/fuse")
                    .contains("enable_uring is N");
            assertThat(threads()).contains("fuse-0", "fuse-1").doesNotContain("fuse-ring-0");
            assertThat(Files.readAllBytes(mount.rawFile(image()))).hasSize(SIZE);
        }
    }

    @Test
    void where_io_uring_is_forbidden_the_mount_is_served_the_other_way() throws Exception {
        switches.add(IoUringSwitch.enabled(true));
        switches.add(IoUringSwitch.forbidden());
        try (Mount mount = mount()) {
            assertThat(hintsOnRings(mount))
                    .singleElement()
                    .asString()
                    .contains("io_uring_setup: Operation not permitted");
            assertThat(Files.readAllBytes(mount.rawFile(image()))).hasSize(SIZE);
        }
    }
}
