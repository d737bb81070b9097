package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever is wrong, a user gets one line that names it, and nothing is mounted. */
@Tag("system")
class BadInputTest {

    private static final int HEADER_LENGTH = 100;
    private static final int BACKING_FORMAT = 0xe2792aca;

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path image = Path.of("");
    private Path mountPoint = Path.of("");

    @BeforeEach
    void make_an_image() throws IOException {
        image = scratch.path("disk.qcow2");
        mountPoint = scratch.directory("mnt");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", image, "64M");
    }

    @AfterEach
    void nothing_is_mounted_and_nothing_runs() throws IOException {
        assertThat(scratch.mounts()).isEmpty();
        assertThat(scratch.processesRunning("java")).isEmpty();
    }

    @Test
    void a_missing_image_is_named() {
        Path missing = scratch.path("missing.qcow2");
        assertThat(refused("mount", missing, mountPoint)).contains(missing.toString(), "No such file");
    }

    @Test
    void a_directory_is_no_image() {
        assertThat(refused("mount", scratch.path("tmp"), mountPoint))
                .contains(scratch.path("tmp").toString());
    }

    @Test
    void a_file_that_is_not_qcow2_is_refused() throws IOException {
        Path text = Files.writeString(scratch.path("letter.txt"), "Dear reader, ".repeat(100));
        assertThat(refused("mount", text, mountPoint)).contains(text.toString(), "qcow2");
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 3, 60, 103})
    void a_file_that_ends_in_its_header_is_refused(long length) throws IOException {
        truncate(length);
        assertThat(refused("mount", image, mountPoint)).contains(image.toString());
    }

    @Test
    void a_file_that_ends_before_its_tables_is_refused() throws IOException {
        truncate(65536);
        assertThat(refused("mount", image, mountPoint)).contains(image.toString());
    }

    /** Offsets are those of the header's fields; values are absurd. */
    @ParameterizedTest
    @CsvSource({
        "4, 9, version",
        "20, 63, cluster",
        "20, 0, cluster",
        "32, -1, crypt",
        "36, 2147483647, L1",
        "44, 17, L1",
        "52, 17, refcount",
        "56, 2147483647, refcount",
        "96, 77, refcount",
        "100, 1, header"
    })
    void an_absurd_header_field_is_named_with_its_value(long offset, int value, String field) throws IOException {
        patch(offset, value);
        assertThat(refused("mount", image, mountPoint))
                .contains(image.toString())
                .containsIgnoringCase(field);
    }

    @Test
    void an_external_data_file_elsewhere_is_named_with_the_option_that_allows_it() throws IOException {
        scratch.directory("images");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "-o", "data_file=data", "images/other.qcow2", "1M");
        assertThat(refused("mount", "images/other.qcow2", mountPoint))
                .contains(scratch.path("data").toString(), "--allow-external");
    }

    @Test
    void an_encrypted_image_needs_the_option_that_the_error_names() {
        scratch.qemuImg()
                .ok(
                        "create",
                        "-q",
                        "-f",
                        "qcow2",
                        "--object",
                        "secret,id=s,data=x",
                        "-o",
                        "encrypt.format=aes,encrypt.key-secret=s",
                        "secret.qcow2",
                        "1M");
        assertThat(refused("mount", "secret.qcow2", mountPoint)).contains("legacy AES", "--passphrase-file");
    }

    @Test
    void a_missing_backing_file_is_named() throws IOException {
        Path top = overlay("top.qcow2", "disk.qcow2");
        Files.delete(image);
        assertThat(refused("mount", top, mountPoint)).contains("disk.qcow2", "No such file");
    }

    @Test
    void a_chain_that_comes_back_to_itself_is_refused() throws IOException {
        Path top = overlay("top.qcow2", "disk.qcow2");
        scratch.qemuImg().ok("rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", "top.qcow2", image);
        assertThat(refused("mount", top, mountPoint)).containsIgnoringCase("loop");
    }

    @Test
    void a_backing_file_of_unrecorded_format_needs_the_option_that_the_error_names() throws IOException {
        scratch.qemuImg().ok("create", "-q", "-f", "raw", "base.raw", "1M");
        Path top = overlay("top.qcow2", "base.raw");
        forgetBackingFormat(top);
        assertThat(refused("mount", top, mountPoint)).contains("--backing-format");
        scratch.qfuse().ok("mount", "--backing-format=raw", top, mountPoint);
        scratch.qfuse().ok("unmount", mountPoint);
    }

    @Test
    void a_missing_mount_point_is_named() {
        Path missing = scratch.path("nowhere");
        assertThat(refused("mount", image, missing))
                .contains(missing.toString())
                .containsIgnoringCase("no such file");
    }

    @Test
    void several_images_cannot_go_over_one_file() throws IOException {
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "b.qcow2", "1M");
        Path file = Files.createFile(scratch.path("file"));
        assertThat(refused("mount", image, "b.qcow2", file)).contains(file.toString());
    }

    @Test
    void a_mount_point_in_use_says_what_is_served_there() throws IOException {
        scratch.qfuse().ok("mount", image, mountPoint);
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "b.qcow2", "1M");
        assertThat(refused("mount", "b.qcow2", mountPoint)).contains(mountPoint.toString(), image.toString());
        scratch.qfuse().ok("unmount", mountPoint);
    }

    @ParameterizedTest
    @ValueSource(strings = {"mount disk.qcow2 mnt", "demo"})
    void a_machine_without_fuse_is_told_what_to_do(String command) {
        Result result = scratch.shell()
                .run(
                        "unshare",
                        "-m",
                        "sh",
                        "-e",
                        "-c",
                        "mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/urandom c 1 9;"
                                + " exec '" + Qfuse.LAUNCHER + "' " + command)
                .ended(1);
        assertThat(result.err())
                .startsWith("qfuse: /dev/fuse: ")
                .contains("modprobe fuse")
                .hasLineCount(1);
    }

    @Test
    void an_image_that_the_user_may_not_open_is_named() throws IOException {
        Files.setPosixFilePermissions(image, PosixFilePermissions.fromString("rw-------"));
        Result result =
                scratch.qfuseAsOrdinaryUser().run("mount", image, mountPoint).ended(1);
        assertThat(result.err())
                .startsWith("qfuse: " + image + ": ")
                .contains("Permission denied")
                .hasLineCount(1);
    }

    @Test
    void a_mount_point_that_the_user_may_not_use_is_named() throws IOException {
        scratch.shell().run("chown", Shell.ORDINARY_USER, image).ok();
        Result result =
                scratch.qfuseAsOrdinaryUser().run("mount", image, mountPoint).ended(1);
        assertThat(result.err())
                .startsWith("qfuse: ")
                .contains(mountPoint.toString())
                .hasLineCount(1);
    }

    @Test
    void a_full_host_file_system_reaches_the_writer_and_loses_nothing_synced() throws IOException {
        Path small = scratch.directory("small");
        scratch.shell()
                .run("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", small)
                .ok();
        scratch.shell().run("cp", image, small.resolve("disk.qcow2")).ok();
        scratch.qfuse().ok("mount", small.resolve("disk.qcow2"), mountPoint);
        scratch.shell()
                .script("head -c 2M /dev/urandom > synced;"
                        + " dd if=synced of=mnt/disk.raw bs=64k conv=notrunc,fsync status=none")
                .ok();
        Result write = scratch.shell()
                .script("dd if=/dev/urandom of=mnt/disk.raw bs=64k seek=100 count=500 conv=notrunc,fsync");
        assertThat(write.exit()).isNotZero();
        assertThat(write.err()).contains("No space left on device");
        scratch.shell().script("head -c 2M mnt/disk.raw | cmp - synced").ok();
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.qemuImg().checkLeaksAtWorst(small.resolve("disk.qcow2"));
        scratch.qemuImg().ok("convert", "-O", "raw", small.resolve("disk.qcow2"), "copy.raw");
        scratch.shell().script("head -c 2M copy.raw | cmp - synced").ok();
        scratch.shell().run("umount", small).ok();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "fly",
                "mount",
                "mount disk.qcow2",
                "mount --cache-size=big disk.qcow2 mnt",
                "mount --workers=0 disk.qcow2 mnt",
                "mount --workers=many disk.qcow2 mnt",
                "mount -o sideways disk.qcow2 mnt",
                "mount -o uid=me disk.qcow2 mnt",
                "mount --transport=pigeon disk.qcow2 mnt",
                "mount --force-share disk.qcow2 mnt",
                "mount --allow-other=maybe disk.qcow2 mnt",
                "mount --data-file=x disk.qcow2 other.qcow2 mnt",
                "mount --no-such-option disk.qcow2 mnt",
                "unmount",
                "create",
                "create x.qcow2",
                "create x.qcow2 big",
                "create -o cluster_size=3 x.qcow2 1M",
                "create -o wings=2 x.qcow2 1M",
                "create -b disk.qcow2 x.qcow2",
                "info"
            })
    void a_wrong_command_line_ends_with_2_and_one_line(String line) {
        Object[] words = line.isEmpty() ? new Object[0] : line.split(" ", -1);
        assertThat(scratch.qfuse().run(words).ended(2).err())
                .startsWith("qfuse: ")
                .contains("--help")
                .hasLineCount(1);
    }

    @Test
    void verbose_adds_the_stack_trace() {
        Result result = scratch.qfuse()
                .run("mount", "--verbose", "missing.qcow2", mountPoint)
                .ended(1);
        assertThat(result.err()).startsWith("qfuse: ").contains("\tat io.qfuse.");
    }

    /** The one line of a command that has to fail with 1. */
    private String refused(Object... words) {
        String error = scratch.qfuse().run(words).ended(1).err();
        assertThat(error).startsWith("qfuse: ").hasLineCount(1).doesNotContain("Exception");
        return error;
    }

    private Path overlay(String name, String base) {
        Path top = scratch.path(name);
        String format = base.endsWith(".raw") ? "raw" : "qcow2";
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "-F", format, "-b", base, top);
        return top;
    }

    // qemu-img does not make such images any more: what it has written becomes an extension that nobody knows.
    private static void forgetBackingFormat(Path image) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.seek(HEADER_LENGTH);
            int extensions = file.readInt();
            file.seek(extensions);
            assertThat(file.readInt()).isEqualTo(BACKING_FORMAT);
            file.seek(extensions);
            file.writeInt(0x12345678);
        }
    }

    private void truncate(long length) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(length);
        }
    }

    private void patch(long offset, int value) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.seek(offset);
            file.writeInt(value);
        }
    }
}
