package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.fuse.MountException;
import io.qfuse.fuse.MountOptions;
import io.qfuse.fuse.kernel.KernelMount;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What other users of the machine, and images that they have made, can and cannot do; {@code docs/security.md} tells it whole. */
@Tag("system")
class AccessTest {

    private static final String USER = Shell.ORDINARY_USER + ":" + Shell.ORDINARY_USER;

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
    void nothing_is_left_mounted() throws IOException {
        scratch.qfuse().run("unmount", mountPoint);
        assertThat(scratch.mounts()).isEmpty();
    }

    private void sh(String script) {
        scratch.shell().script(script).ok();
    }

    private String stat(String file) {
        return scratch.shell().run("stat", "-c", "%a %u:%g", file).ok().out().strip();
    }

    private Result asUser(String script) {
        return scratch.shell().asOrdinaryUser().script(script);
    }

    @ParameterizedTest
    @ValueSource(strings = {"kernel", "jnr-fuse"})
    void the_raw_file_is_for_those_whom_the_image_is_for(String transport) {
        String option = "--transport=" + transport;
        sh("chmod 600 disk.qcow2");
        scratch.qfuse().ok("mount", option, image, mountPoint);
        assertThat(stat("mnt/disk.raw")).isEqualTo("600 0:0");
        assertThat(asUser("head -c 1 mnt/disk.raw").err()).contains("Permission denied");
        scratch.qfuse().ok("unmount", mountPoint);

        sh("chmod 640 disk.qcow2; chown 0:" + Shell.ORDINARY_USER + " disk.qcow2");
        scratch.qfuse().ok("mount", option, image, mountPoint);
        assertThat(stat("mnt/disk.raw")).isEqualTo("640 0:" + Shell.ORDINARY_USER);
        asUser("head -c 1 mnt/disk.raw > /dev/null").ok();
        assertThat(asUser("echo x > mnt/disk.raw").err()).contains("Permission denied");
        scratch.qfuse().ok("unmount", mountPoint);

        scratch.qfuse().ok("mount", "--read-only", option, image, mountPoint);
        assertThat(stat("mnt/disk.raw")).isEqualTo("440 0:" + Shell.ORDINARY_USER);
    }

    @Test
    void nobody_else_comes_in_where_others_are_not_allowed() {
        sh("chmod 666 disk.qcow2");
        scratch.qfuse().ok("mount", "--allow-other=off", image, mountPoint);
        assertThat(asUser("ls mnt").err()).contains("Permission denied");
        assertThat(asUser("head -c 1 mnt/disk.raw").err()).contains("Permission denied");
    }

    @Test
    void not_even_root_comes_in_to_a_user_who_does_not_allow_others() throws IOException {
        sh("chown " + USER + " disk.qcow2 mnt; chmod 666 disk.qcow2");
        Qfuse user = scratch.qfuseAsOrdinaryUser();
        user.ok("mount", "--allow-other=off", image, mountPoint);
        assertThat(scratch.shell().run("ls", "mnt").err()).contains("Permission denied");
        assertThat(user.shell()
                        .run("stat", "-c", "%a %u:%g", "mnt/disk.raw")
                        .ok()
                        .out())
                .isEqualTo("666 " + USER + "\n");
        user.ok("unmount", mountPoint);
    }

    /** Else whoever owns an image could have root mount it, and read by way of it whatever it names. */
    @Test
    void an_image_does_not_give_its_owner_what_another_file_holds() {
        sh("head -c 64M /dev/urandom > base.raw; chmod 600 base.raw;"
                + " qemu-img create -q -f qcow2 -F raw -b base.raw top.qcow2; chmod 666 top.qcow2; chown " + USER
                + " top.qcow2");
        scratch.qfuse().ok("mount", "top.qcow2", mountPoint);
        assertThat(stat("mnt/top.raw")).isEqualTo("600 0:0");
        assertThat(asUser("head -c 1 mnt/top.raw").err()).contains("Permission denied");
        scratch.qfuse().ok("unmount", mountPoint);
        sh("chown 0:0 top.qcow2; chmod 644 base.raw");
        scratch.qfuse().ok("mount", "top.qcow2", mountPoint);
        assertThat(stat("mnt/top.raw")).isEqualTo("644 0:0");
    }

    @Test
    void snapshots_are_for_those_whom_the_image_is_for_and_cannot_be_written() {
        sh("qemu-img snapshot -c first disk.qcow2; chmod 640 disk.qcow2");
        scratch.qfuse().ok("mount", "--snapshots", image, mountPoint);
        assertThat(stat("mnt/snapshots/1-first.raw")).isEqualTo("440 0:0");
    }

    @Test
    void nothing_that_is_written_beside_the_image_is_for_others() throws IOException {
        Path runtime = scratch.directory("runtime");
        Shell open = scratch.shell().with("XDG_RUNTIME_DIR", runtime.toString()).with("HOME", runtime.toString());
        String before = scratch.shell().script("find tmp").ok().out();
        open.script("umask 0; " + Qfuse.LAUNCHER + " mount --pid-file=pid --log-file=log disk.qcow2 mnt")
                .ok();
        assertThat(stat("pid")).isEqualTo("600 0:0");
        assertThat(stat("log")).isEqualTo("600 0:0");
        assertThat(runtime).isEmptyDirectory();
        // What libraries unpack for the virtual machine is gone again, or for nobody else.
        String shared = scratch.shell()
                .script("find tmp -perm /077 -newer disk.qcow2 -type f")
                .ok()
                .out();
        assertThat(shared).as("before: %s", before).isEmpty();
    }

    @Test
    void a_link_in_the_place_of_a_written_file_leads_nowhere() throws IOException {
        Path precious = Files.writeString(scratch.path("precious"), "precious");
        sh("chmod 1777 tmp; ln -s ../precious tmp/pid; ln -s ../precious tmp/log");
        Result refused = scratch.qfuse()
                .run("mount", "--log-file=tmp/log", image, mountPoint)
                .ended(1);
        assertThat(refused.err()).contains("tmp/log: is a symbolic link").hasLineCount(1);
        scratch.qfuse().ok("mount", "--pid-file=tmp/pid", image, mountPoint);
        assertThat(scratch.path("tmp/pid")).isRegularFile();
        assertThat(precious).hasContent("precious");
    }

    @Test
    void a_link_of_somebody_else_is_no_mount_point() throws IOException {
        Path victim = scratch.directory("victim");
        asUser("ln -s ../victim tmp/mnt").ok();
        Result refused = scratch.qfuse().run("mount", image, "tmp/mnt").ended(1);
        assertThat(refused.err())
                .contains("is a symbolic link of user " + Shell.ORDINARY_USER)
                .hasLineCount(1);
        sh("ln -s victim own");
        scratch.qfuse().ok("mount", image, "own");
        assertThat(scratch.mounts()).containsExactly(victim.toString());
        scratch.qfuse().ok("unmount", "own");
    }

    /** The place was looked at without links; that one is there now means that somebody was quick. */
    @ParameterizedTest
    @ValueSource(strings = {"link", "link/below"})
    void a_link_that_comes_while_the_place_is_mounted_at_is_refused(String place) throws IOException {
        Files.createDirectories(scratch.path("victim/below"));
        sh("ln -s victim link");
        MountOptions options = MountOptions.defaults();
        assertThatThrownBy(() -> KernelMount.mount(scratch.path(place), "disk", options, true, 4096))
                .isInstanceOf(MountException.class)
                .hasMessageContaining("symbolic link on the way");
        assertThat(scratch.mounts()).isEmpty();
    }

    @Test
    void a_fifo_or_a_device_below_an_image_is_not_even_opened() throws Exception {
        sh("mkfifo fifo; qemu-img create -q -u -f qcow2 -F raw -b fifo top.qcow2 1M");
        Process writer = scratch.shell().start("sh", "-c", "exec 3> fifo; touch woken");
        Await.until("the writer waits for a reader", () -> waits(writer.pid()));
        Result refused = scratch.qfuse().run("mount", "top.qcow2", mountPoint).ended(1);
        assertThat(refused.err())
                .contains("top.qcow2: its backing file: ", "neither a regular file nor a block device")
                .hasLineCount(1);
        assertThat(waits(writer.pid())).as("nobody has opened the FIFO").isTrue();
        writer.destroyForcibly().waitFor();
    }

    /** In open(2) of a FIFO. */
    private static boolean waits(long pid) {
        try {
            return Files.readString(Path.of("/proc/" + pid + "/wchan")).contains("fifo")
                    || Files.readString(Path.of("/proc/" + pid + "/syscall")).matches("(?s)(2|257|56) .*");
        } catch (IOException ended) {
            return false;
        }
    }

    @Test
    void a_raw_base_is_never_taken_for_an_image_whatever_its_guest_has_written() throws IOException {
        Files.writeString(scratch.path("precious"), "x".repeat(1 << 20));
        sh("qemu-img create -q -u -f qcow2 -F raw -b precious guest.raw 1M;"
                + " qemu-img create -q -u -f qcow2 -F raw -b guest.raw top.qcow2 1M");
        scratch.qfuse().ok("mount", "top.qcow2", mountPoint);
        byte[] start = scratch.shell()
                .run("head", "-c", "3", "mnt/top.raw")
                .ok()
                .out()
                .getBytes(java.nio.charset.StandardCharsets.US_ASCII);
        assertThat(start).startsWith('Q', 'F', 'I');
        scratch.qfuse().ok("unmount", mountPoint);
        sh("qemu-img create -q -u -f qcow2 unknown.qcow2 1M;"
                // The name alone, as old programs have written it.
                + " printf '\\000\\000\\000\\000\\000\\000\\100\\000\\000\\000\\000\\011'"
                + " | dd of=unknown.qcow2 bs=1 seek=8 conv=notrunc status=none;"
                + " printf guest.raw | dd of=unknown.qcow2 bs=1 seek=16384 conv=notrunc status=none");
        assertThat(scratch.qfuse()
                        .run("mount", "unknown.qcow2", mountPoint)
                        .ended(1)
                        .err())
                .contains("does not say which format its backing file guest.raw has");
    }

    @Test
    void names_in_an_image_write_no_lines_of_their_own() throws IOException {
        String name = "../base\n2026-01-01 qfuse: all is well\u202e\u0085";
        Path elsewhere = scratch.directory("images");
        Files.write(scratch.path("base\n2026-01-01 qfuse: all is well\u202e\u0085"), new byte[1 << 20]);
        scratch.qemuImg()
                .ok("create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", name, elsewhere.resolve("top.qcow2"), "1M");
        Result mounted = scratch.qfuse().ok("mount", elsewhere.resolve("top.qcow2"), mountPoint);
        assertThat(mounted.err().lines())
                .anyMatch(line -> line.contains("base?2026-01-01 qfuse: all is well?? lies outside its own directory"))
                .noneMatch(line -> line.startsWith("2026-01-01"));
    }
}
