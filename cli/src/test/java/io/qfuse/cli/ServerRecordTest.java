package io.qfuse.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.fuse.MountTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ServerRecordTest {

    private final String device = "999:" + System.nanoTime();

    @Test
    void the_server_of_a_mount_is_found_by_its_device_number() throws IOException {
        ServerRecord.create(device);
        Optional<Path> found = ServerRecord.find(mount(device, own()));
        assertThat(found).isPresent();
        assertThat(Processes.pid(found.get())).isEqualTo(ProcessHandle.current().pid());
    }

    @Test
    void no_server_is_found_for_another_device() throws IOException {
        ServerRecord.create(device);
        assertThat(ServerRecord.find(mount(device + "0", own()))).isEmpty();
    }

    @Test
    void what_another_user_than_the_mounting_one_has_made_is_no_record() throws IOException {
        ServerRecord.create(device);
        assertThat(ServerRecord.find(mount(device, own() + 1))).isEmpty();
    }

    private static MountTable.Entry mount(String device, int user) {
        return new MountTable.Entry(device, Path.of("/mnt"), "fuse.qfuse", "disk.qcow2", user);
    }

    private static int own() throws IOException {
        return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    }

    @Test
    void the_last_word_is_empty_until_the_images_are_closed() throws IOException {
        ServerRecord record = ServerRecord.create(device);
        Path entry = ServerRecord.find(mount(device, own())).orElseThrow();
        assertThat(entry).isEmptyFile();
        record.end(null);
        assertThat(entry).hasContent(ServerRecord.CLOSED);
    }

    @Test
    void a_failure_is_the_last_word_when_closing_went_wrong() throws IOException {
        ServerRecord record = ServerRecord.create(device);
        record.end(new Failure("disk.qcow2", "No space left on device"));
        assertThat(Files.readString(ServerRecord.find(mount(device, own())).orElseThrow()))
                .contains("No space left on device");
    }

    @Test
    void a_process_is_waited_for_to_its_end() throws IOException {
        Process child = new ProcessBuilder("sleep", "0.2").start();
        Posix.awaitEndAndClose(Posix.processDescriptor(child.pid()));
        assertThat(child.toHandle().isAlive() && !hasEnded(child.pid())).isFalse();
    }

    // Ended, though the virtual machine may not have taken notice yet.
    private static boolean hasEnded(long pid) {
        try {
            return Files.readString(Path.of("/proc/" + pid + "/stat")).contains(") Z ");
        } catch (IOException gone) {
            return true;
        }
    }
}
