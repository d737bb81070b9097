package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.fuse.Transport;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What stat and df say of a mounted disk. */
@Tag("system")
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class StatTest {

    private static final int MIB = 1 << 20;
    private static final int METADATA = MIB;

    @RegisterExtension
    final Scratch scratch = new Scratch();

    @ParameterizedTest
    @EnumSource(Transport.class)
    void blocks_follow_the_space_that_is_taken(Transport transport) throws Exception {
        Path image = scratch.path("disk.qcow2");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", image, "1G");
        try (ServedHere served = ServedHere.serve(image, scratch.directory("mnt"), transport);
                RawFile file = RawFile.direct(served.raw())) {
            assertThat(Files.size(served.raw())).isEqualTo(1 << 30);
            assertThat(blocks(served.raw())).isLessThan(METADATA);
            byte[] bytes = new byte[8 * MIB];
            new Random(1).nextBytes(bytes);
            file.write(100 * MIB, bytes);
            file.sync();
            assertThat(blocks(served.raw())).isBetween(8L * MIB, 8L * MIB + METADATA);
            file.allocate(0, 300 * MIB, 4 * MIB);
            file.sync();
            assertThat(blocks(served.raw())).isBetween(12L * MIB, 12L * MIB + METADATA);
            file.allocate(RawFile.PUNCH_HOLE | RawFile.KEEP_SIZE, 0, 1 << 30);
            file.sync();
            assertThat(blocks(served.raw())).isLessThan(METADATA);
        }
        scratch.qemuImg().check(image);
    }

    @ParameterizedTest
    @EnumSource(Transport.class)
    void the_file_system_is_as_large_as_the_disk_and_has_no_more_room_than_the_host(Transport transport)
            throws Exception {
        Path host = scratch.directory("host");
        scratch.shell().script("mount -t tmpfs -o size=32M host host").ok();
        Path image = host.resolve("disk.qcow2");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", image, "1G");
        try (ServedHere served = ServedHere.serve(image, scratch.directory("mnt"), transport);
                RawFile file = RawFile.direct(served.raw())) {
            Path mountPoint = scratch.path("mnt");
            assertThat(df(mountPoint, "size")).isEqualTo(1 << 30);
            long before = df(mountPoint, "avail");
            assertThat(before).isBetween(24L * MIB, 32L * MIB).isLessThanOrEqualTo(df(host, "avail"));
            byte[] bytes = new byte[8 * MIB];
            file.write(0, bytes);
            file.sync();
            assertThat(df(mountPoint, "avail")).isBetween(before - 9L * MIB, before - 8L * MIB);
        }
    }

    /** Bytes that stat says the file takes. */
    private long blocks(Path raw) {
        return 512 * number(scratch.shell().run("stat", "-c", "%b", raw));
    }

    /** A column of df, in bytes. */
    private long df(Path place, String column) {
        return number(scratch.shell().script("df -B1 --output=" + column + " '" + place + "' | tail -1"));
    }

    private static long number(Result result) {
        return Long.parseLong(result.ok().out().strip());
    }
}
