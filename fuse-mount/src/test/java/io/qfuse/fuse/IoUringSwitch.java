package io.qfuse.fuse;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A setting of the host that FUSE over io_uring takes, changed for a while. */
final class IoUringSwitch {

    private static final Path ENABLE = Path.of("/sys/module/fuse/parameters/enable_uring");
    private static final Path DISABLED = Path.of("/proc/sys/kernel/io_uring_disabled");

    private final Path setting;
    private final String before;

    private IoUringSwitch(Path setting, String value) throws IOException {
        this.setting = setting;
        this.before = Files.readString(setting);
        Files.writeString(setting, value);
    }

    /** Whether the kernel's FUSE may use io_uring; skips the test where the kernel's cannot. */
    static IoUringSwitch enabled(boolean enabled) throws IOException {
        assumeTrue(Files.isWritable(ENABLE), "this kernel has no FUSE over io_uring, or no root asks");
        return new IoUringSwitch(ENABLE, enabled ? "Y" : "N");
    }

    /** Nobody may use io_uring. */
    static IoUringSwitch forbidden() throws IOException {
        return new IoUringSwitch(DISABLED, "2");
    }

    /** Sets it back. */
    void close() {
        try {
            Files.writeString(setting, before);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
