package io.qfuse.it;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.qfuse.fuse.Transport;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The host's switch of FUSE over io_uring: on from the first test that takes it to the end of the run. */
final class IoUringHost {

    static final Path SWITCH = Path.of("/sys/module/fuse/parameters/enable_uring");

    private static boolean permitted;

    private IoUringHost() {}

    /** Sees to it that a transport can be used; skips the test where the host's kernel has it not. */
    static synchronized void permit(Transport transport) {
        if (transport != Transport.IO_URING || permitted) {
            return;
        }
        assumeTrue(Files.isWritable(SWITCH), "this kernel has no FUSE over io_uring, or no root asks");
        try {
            String before = Files.readString(SWITCH);
            Runtime.getRuntime().addShutdownHook(new Thread(() -> write(before)));
            write("Y");
            permitted = true;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Switches it off for one action. */
    static synchronized void without(Runnable action) throws IOException {
        String before = Files.readString(SWITCH);
        write("N");
        try {
            action.run();
        } finally {
            write(before);
        }
    }

    private static void write(String value) {
        try {
            Files.writeString(SWITCH, value);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
