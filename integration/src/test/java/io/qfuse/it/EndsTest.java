package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ErrnoException;
import io.qfuse.fuse.Transport;
import io.qfuse.qcow2.OpenOptions;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What may come between the beginning of a mount and its end; each ends well, or with one line that says what is lost. */
@Tag("system")
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EndsTest {

    private static final int SIZE = 16 << 20;

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path image = Path.of("");
    private Path mountPoint = Path.of("");
    private Path raw = Path.of("");

    @BeforeEach
    void make_an_image() throws IOException {
        image = scratch.path("disk.qcow2");
        mountPoint = scratch.directory("mnt");
        raw = mountPoint.resolve("disk.raw");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", image, SIZE);
    }

    @ParameterizedTest
    @EnumSource
    void a_signal_under_load_cuts_the_users_off_and_keeps_what_they_were_told_is_written(Transport transport)
            throws Exception {
        mount(Qfuse.over(transport));
        FsyncLog log = new FsyncLog(SIZE);
        log.begin(new byte[SIZE]);
        DiskLoad load = DiskLoad.start(raw, log, 1);
        Await.until("something is written", () -> load.operations() > 50);
        scratch.shell().script("kill -TERM $(cat pid)").ok();
        load.join();
        awaitServerGone();
        log.synced(log.returned());
        log.check(content());
        scratch.qemuImg().check(image);
        assertThat(scratch.mounts()).isEmpty();
        assertThat(logged("cut off")).contains(mountPoint.toString());
    }

    @Test
    void an_unmount_under_load_is_refused_and_a_lazy_one_ends_with_the_last_user() throws Exception {
        mount();
        FsyncLog log = new FsyncLog(SIZE);
        log.begin(new byte[SIZE]);
        DiskLoad load = DiskLoad.start(raw, log, 1);
        Await.until("something is written", () -> load.operations() > 20);
        assertThat(scratch.qfuse().run("unmount", mountPoint).ended(1).err())
                .startsWith("qfuse: " + mountPoint + ": in use by ")
                .hasLineCount(1);
        assertThat(scratch.qfuse().ok("unmount", "--lazy", mountPoint).err())
                .contains("out of the tree", "in use by ")
                .hasLineCount(1);
        assertThat(scratch.mounts()).isEmpty();
        long before = load.operations();
        Await.until("the load goes on", () -> load.operations() > before + 20);
        load.stop();
        load.join();
        awaitServerGone();
        log.synced(log.returned());
        log.check(content());
        scratch.qemuImg().check(image);
    }

    @ParameterizedTest
    @ValueSource(strings = {"rm disk.qcow2", "cp disk.qcow2 other; mv other disk.qcow2"})
    void an_image_that_is_deleted_or_replaced_is_served_on_and_the_loss_is_said(String how) throws Exception {
        mount();
        try (RawFile file = RawFile.direct(raw)) {
            file.write(0, new byte[8192]);
            scratch.shell().script(how).ok();
            file.write(SIZE / 2, new byte[] {1, 2, 3});
            file.sync();
            file.sync();
            assertThat(file.read(SIZE / 2, 3)).containsExactly(1, 2, 3);
        }
        assertThat(logged("deleted or replaced"))
                .contains(image.toString(), "/proc/")
                .hasLineCount(1);
        assertThat(scratch.qfuse().run("unmount", mountPoint).ended(1).err())
                .contains(image.toString(), "deleted or replaced")
                .hasLineCount(1);
        awaitServerGone();
    }

    @Test
    void tables_that_are_cut_off_give_an_error_and_all_else_is_served_on() throws Exception {
        scratch.qemuIo().on(image, "write -P 1 0 4k", "write -P 2 8M 4k");
        mount();
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.WRITE);
                RawFile disk = RawFile.direct(raw)) {
            assertThat(disk.read(0, 1)).containsExactly(1);
            // The second table is the last thing but one in the file, its data are the last.
            file.truncate(file.size() - 8192);
            assertThatExceptionOfType(ErrnoException.class)
                    .isThrownBy(() -> disk.read(8 << 20, 1))
                    .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EIO));
            assertThat(disk.read(0, 1)).containsExactly(1);
        }
        assertThat(logged("behind the end of the file")).contains(image.toString());
        scratch.qfuse().run("unmount", mountPoint);
        awaitServerGone();
    }

    @Test
    void an_image_that_is_cut_is_told_of_at_the_next_fsync() throws Exception {
        mount();
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.WRITE);
                RawFile disk = RawFile.direct(raw)) {
            disk.write(0, new byte[8192]);
            disk.sync();
            file.truncate(file.size() - 4096);
            disk.write(0, new byte[] {2});
            disk.sync();
        }
        assertThat(logged("was cut from")).contains(image.toString()).hasLineCount(1);
    }

    @Test
    void a_log_that_cannot_be_written_harms_no_request() throws Exception {
        scratch.qfuse().ok("mount", "--verbose", "--log-file=/dev/full", image, mountPoint);
        try (RawFile file = RawFile.direct(raw)) {
            for (int i = 0; i < 3; i++) {
                assertThatExceptionOfType(ErrnoException.class).isThrownBy(() -> file.write(SIZE, new byte[512]));
                file.write(i * 4096L, new byte[] {(byte) i});
                file.sync();
            }
        }
        scratch.qfuse().ok("unmount", mountPoint);
        assertThat(content()[8192]).isEqualTo((byte) 2);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "qfuse mount disk.qcow2 mnt <&- >&- 2>&-",
                "qfuse mount --foreground --verbose --pid-file=pid disk.qcow2 mnt <&- >&- 2>&- &",
                "qfuse mount --foreground --verbose --pid-file=pid disk.qcow2 mnt 2>&1 | true &"
            })
    void no_message_lands_in_an_image_whatever_became_of_stdout_and_stderr(String command) throws Exception {
        Files.createSymbolicLink(scratch.path("qfuse"), Qfuse.LAUNCHER);
        scratch.shell().script("./" + command);
        Await.until("it is mounted", () -> Files.exists(raw));
        byte[] written = new byte[SIZE / 2];
        for (int i = 0; i < written.length; i++) {
            written[i] = (byte) (i / 512 + 1);
        }
        try (RawFile file = RawFile.direct(raw)) {
            file.write(0, written);
            assertThatExceptionOfType(ErrnoException.class).isThrownBy(() -> file.write(SIZE, new byte[512]));
            file.sync();
        }
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.qemuImg().check(image);
        assertThat(content()).startsWith(written);
    }

    /** Through libfuse2 each request makes objects, so that reads may fail there, too. */
    @Test
    void where_memory_runs_out_requests_fail_and_others_are_served_on() throws Exception {
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "-o", "cluster_size=512", image, "256M");
        Shell little = scratch.shell().with("_JAVA_OPTIONS", "-Xmx9m");
        new Qfuse(little, Qfuse.LAUNCHER).ok("mount", "--pid-file=pid", "--cache-size=1G", image, mountPoint);
        Result writer = scratch.shell()
                .run("dd", "if=/dev/zero", "of=" + raw, "bs=256k", "count=1024", "oflag=direct", "conv=notrunc");
        assertThat(writer.err()).containsAnyOf("Cannot allocate memory", "Input/output error");
        scratch.shell()
                .run("dd", "if=" + raw, "of=/dev/null", "bs=4k", "count=1", "iflag=direct")
                .ok();
        scratch.kill("pid");
        scratch.qemuImg().checkLeaksAtWorst(image);
    }

    private void mount(String... words) {
        scratch.qfuse()
                .ok(Stream.of(new Object[] {"mount", "--pid-file=pid", "--log-file=log"}, words, new Object[] {
                            image, mountPoint
                        })
                        .flatMap(Stream::of)
                        .toArray());
    }

    private void awaitServerGone() throws Exception {
        Await.until("the server is gone", () -> scratch.processesRunning("java").isEmpty());
    }

    /** The lines of the log with a text. */
    private String logged(String text) throws IOException {
        return String.join(
                "\n",
                Files.readAllLines(scratch.path("log")).stream()
                        .filter(line -> line.contains(text))
                        .toList());
    }

    /** The disk as the core reads it. */
    private byte[] content() throws IOException {
        return KillTest.read(image, OpenOptions.readOnly());
    }
}
