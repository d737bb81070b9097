package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What becomes of host space under {@code --discard}, seen by stat and qemu-img. */
@Tag("system")
class DiscardTest {

    private static final int MIB = 1 << 20;

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path image = Path.of("");
    private Path mountPoint = Path.of("");

    @BeforeEach
    void make_places() throws IOException {
        image = scratch.path("disk.qcow2");
        mountPoint = scratch.directory("mnt");
    }

    private long hostBytes(Path file) {
        String blocks = scratch.shell()
                .script("sync " + file + "; stat -c %b " + file)
                .ok()
                .out();
        return 512 * Long.parseLong(blocks.trim());
    }

    /** Fills 8 MiB of 16, punches the second half of that, and gives what the host has of the file before and after. */
    private long[] punched(String options, Path measured, String create) {
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "-o", create, image, "16M");
        scratch.qfuse().ok("mount", options, image, mountPoint);
        scratch.shell()
                .script("dd if=/dev/urandom of=mnt/disk.raw bs=1M count=8 conv=notrunc,fsync status=none")
                .ok();
        long before = hostBytes(measured);
        scratch.shell()
                .script("fallocate -p -o 4M -l 4M mnt/disk.raw && sync mnt/disk.raw"
                        + " && cmp -n 4194304 -i 4194304:0 mnt/disk.raw /dev/zero")
                .ok();
        long after = hostBytes(measured);
        scratch.qfuse().ok("unmount", mountPoint);
        scratch.qemuImg().ok("check", image);
        return new long[] {before, after};
    }

    private String mapAt4MiB() {
        return scratch.qemuImg()
                .ok("map", "--output=json", image)
                .out()
                .lines()
                .filter(line -> line.contains("\"start\": 4194304,"))
                .findFirst()
                .orElseThrow();
    }

    @ParameterizedTest
    @ValueSource(strings = {"--discard=unmap", "--read-only=false"})
    void unmap_which_is_the_default_gives_host_space_back(String option) {
        long[] bytes = punched(option, image, "compat=1.1");
        assertThat(bytes[0] - bytes[1]).isGreaterThanOrEqualTo(4 * MIB - 65536);
        assertThat(mapAt4MiB()).contains("\"zero\": true", "\"data\": false").doesNotContain("\"offset\"");
    }

    @ParameterizedTest
    @CsvSource({"compat=1.1, true", "'compat=1.1,extended_l2=on', true", "compat=0.10, false"})
    void ignore_keeps_host_space_and_in_version_3_its_place(String create, boolean kept) {
        long[] bytes = punched("--discard=ignore", image, create);
        assertThat(bytes[1]).isGreaterThanOrEqualTo(bytes[0]);
        assertThat(mapAt4MiB().contains("\"offset\"")).isEqualTo(kept);
        assertThat(mapAt4MiB()).contains("\"zero\": true", "\"data\": false");
    }

    @ParameterizedTest
    @CsvSource({"off, unmap", "off, ignore", "on, unmap", "on, ignore"})
    void a_data_file_is_treated_alike(String raw, String discard) {
        long[] bytes = punched("--discard=" + discard, scratch.path("data"), "data_file=data,data_file_raw=" + raw);
        if (discard.equals("unmap")) {
            assertThat(bytes[0] - bytes[1]).isEqualTo(4 * MIB);
        } else {
            assertThat(bytes[1]).isGreaterThanOrEqualTo(bytes[0]);
        }
    }
}
