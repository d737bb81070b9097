package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("system")
class EncryptedMountTest {

    private static final String OPENED = "driver=qcow2,encrypt.key-secret=s,file.filename=disk.qcow2";

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path mountPoint = Path.of("");

    @BeforeEach
    void make_an_encrypted_image() throws IOException {
        mountPoint = scratch.directory("mnt");
        Files.writeString(scratch.path("secret"), "correct horse");
        scratch.shell().run("chmod", "600", "secret").ok();
        // qemu-img now and then cannot measure how fast it hashes.
        scratch.shell()
                .script("for i in $(seq 20); do qemu-img create -q --object secret,id=s,file=secret -f qcow2"
                        + " -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 disk.qcow2 4M && break; done;"
                        + " test -e disk.qcow2; qemu-io --object secret,id=s,file=secret --image-opts "
                        + OPENED
                        + " -c 'write -P 0x11 1000 100000'")
                .ok();
    }

    @Test
    void what_is_written_through_the_mount_is_what_qemu_decrypts() {
        scratch.qfuse().ok("mount", "--passphrase-file", "secret", "disk.qcow2", mountPoint);
        scratch.shell()
                .script(
                        "qemu-io -f raw -c 'read -P 0x11 1000 100000' -c 'read -P 0 2M 4k' -c 'write -P 0x22 50001 70000'"
                                + " mnt/disk.raw")
                .ok();
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.shell()
                .script("qemu-io --object secret,id=s,file=secret --image-opts " + OPENED
                        + " -c 'read -P 0x11 1000 49001' -c 'read -P 0x22 50001 70000' | tee read; ! grep -i fail read;"
                        + " qemu-img check --object secret,id=s,file=secret --image-opts " + OPENED)
                .ok();
    }

    @Test
    void a_snapshot_beside_the_disk_is_decrypted_and_stays_what_it_was() {
        scratch.shell()
                .script("qemu-img snapshot --object secret,id=s,file=secret -c kept --image-opts " + OPENED)
                .ok();
        scratch.qfuse().ok("mount", "--snapshots", "--passphrase-file", "secret", "disk.qcow2", mountPoint);
        scratch.qemuIo().opened(List.of("-f", "raw", "mnt/disk.raw"), "write -P 0x22 50001 70000", "write -z 3000 500");
        List<Object> kept = List.of("-f", "raw", "-r", "mnt/snapshots/1-kept.raw");
        scratch.qemuIo().opened(kept, "read -P 0x11 1000 100000", "read -P 0 101000 100000");
        scratch.qfuse().ok("unmount", mountPoint);
        List<Object> opened = List.of("--object", "secret,id=s,file=secret", "--image-opts", OPENED);
        scratch.qemuIo().opened(opened, "read -P 0x11 3500 46501", "read -P 0x22 50001 70000", "read -P 0 3000 500");
        scratch.shell()
                .script("qemu-img check --object secret,id=s,file=secret --image-opts " + OPENED + ";"
                        + " qemu-img convert --object secret,id=s,file=secret -l snapshot.name=kept -O raw --image-opts "
                        + OPENED + " kept.raw")
                .ok();
        scratch.qemuIo()
                .opened(List.of("-f", "raw", "kept.raw"), "read -P 0x11 1000 100000", "read -P 0 101000 100000");
    }

    @Test
    void what_is_decrypted_is_for_its_user_alone_and_so_should_the_passphrase_be() {
        scratch.shell().script("chmod 666 disk.qcow2").ok();
        Result alone = scratch.qfuse().ok("mount", "--passphrase-file", "secret", "disk.qcow2", mountPoint);
        assertThat(alone.err()).doesNotContain("secret");
        String mode =
                scratch.shell().run("stat", "-c", "%a %u", "mnt/disk.raw").ok().out();
        assertThat(mode).isEqualTo("600 0\n");
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.shell().script("chmod 640 secret").ok();
        Result open = scratch.qfuse().ok("mount", "--passphrase-file", "secret", "disk.qcow2", mountPoint);
        assertThat(open.err()).contains("secret: the passphrase is open to other users");
        scratch.qfuse().ok("unmount", mountPoint);
    }

    @Test
    void the_passphrase_comes_from_standard_input_and_the_server_keeps_nothing_of_it() throws IOException {
        scratch.shell()
                .script("printf 'correct horse' | " + Qfuse.LAUNCHER + " mount --passphrase-file - disk.qcow2 mnt")
                .ok();
        scratch.shell()
                .script("qemu-io -f raw -r -c 'read -P 0x11 1000 100000' mnt/disk.raw | tee read; ! grep -i fail read")
                .ok();
        for (long pid : scratch.processes()) {
            assertThat(Files.readSymbolicLink(Path.of("/proc/" + pid + "/fd/0")))
                    .hasToString("/dev/null");
            assertThat(Files.readString(Path.of("/proc/" + pid + "/cmdline"))).doesNotContain("horse");
        }
        scratch.qfuse().ok("unmount", mountPoint);
    }

    @Test
    void a_passphrase_that_is_wrong_or_missing_or_not_there_is_told_in_one_line() throws IOException {
        // With the permissions of the right one.
        scratch.shell()
                .script("cp -p secret wrong; echo >> wrong; cp -p secret empty; truncate -s 0 empty")
                .ok();
        assertRefused("the passphrase opens no key slot (it ends with a newline, which counts)", "wrong");
        assertRefused("No such file or directory", "nowhere");
        assertRefused("holds no passphrase", "empty");
        assertRefused("holds more than the 65536 bytes", "/dev/zero");
        Result missing = scratch.qfuse().run("mount", "disk.qcow2", mountPoint).ended(1);
        assertThat(missing.err())
                .contains("is encrypted (LUKS): give --passphrase-file")
                .hasLineCount(1);
        assertThat(scratch.mounts()).isEmpty();
    }

    private void assertRefused(String why, String file) {
        Result result = scratch.qfuse()
                .run("mount", "--passphrase-file", file, "disk.qcow2", mountPoint)
                .ended(1);
        assertThat(result.err()).contains(why).hasLineCount(1);
    }
}
