package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.fuse.Transport;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A disk of a petabyte through a mount: had anything walked its 2^34 clusters, this would not end in time. */
@Tag("system")
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HugeMountTest {

    private static final long PIB = 1L << 50;
    private static final long NEAR_THE_END = PIB - (3 << 20);
    private static final int CLUSTER = 64 << 10;
    /** The L1 table has 16 MiB. */
    private static final long METADATA = 20L << 20;

    @RegisterExtension
    final Scratch scratch = new Scratch();

    @Test
    void a_petabyte_is_made_shown_searched_punched_and_written() throws Exception {
        Path image = scratch.path("disk.qcow2");
        scratch.qfuse().ok("create", image, "1P");
        byte[] bytes = new byte[4096];
        Arrays.fill(bytes, (byte) 7);
        try (ServedHere served = ServedHere.serve(image, scratch.directory("mnt"), Transport.KERNEL);
                RawFile file = RawFile.buffered(served.raw())) {
            assertThat(Files.size(served.raw())).isEqualTo(PIB);
            assertThat(number("stat -c %b mnt/*") * 512).isLessThan(METADATA);
            assertThat(number("df -B1 --output=size mnt | tail -1")).isEqualTo(PIB);
            assertThat(file.seekHole(0)).isZero();
            file.allocate(RawFile.PUNCH_HOLE | RawFile.KEEP_SIZE, 0, PIB);
            file.write(NEAR_THE_END, bytes);
            file.sync();
            assertThat(file.seekData(0)).isEqualTo(NEAR_THE_END);
            assertThat(file.seekHole(NEAR_THE_END)).isEqualTo(NEAR_THE_END + CLUSTER);
            file.allocate(RawFile.PUNCH_HOLE | RawFile.KEEP_SIZE, 0, NEAR_THE_END);
            file.sync();
            assertThat(file.read(NEAR_THE_END, 4096)).isEqualTo(bytes);
            assertThat(file.read(PIB / 2, 4096)).containsOnly(0);
        }
        scratch.qemuImg().check(image);
        scratch.qemuIo().on(image, "read -P 7 " + NEAR_THE_END + " 4k");
    }

    private long number(String script) {
        return Long.parseLong(scratch.shell().script(script).ok().out().strip());
    }
}
