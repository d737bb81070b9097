package io.qfuse.fuse.kernel;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;

/** How far the kernel reads ahead of sequential readers: it offers FUSE 128 KiB, a request here carries eight times that. */
public final class ReadAhead {

    private static final System.Logger LOG = System.getLogger(ReadAhead.class.getPackageName());

    private static final Path DEVICES = Path.of("/sys/class/bdi");

    private ReadAhead() {}

    /**
     * Raises it to the largest request, where the user may (root, as a rule); it is only about speed.
     *
     * @param device the mount's device, as {@code 0:42}
     */
    public static void raise(String device) {
        Path setting = DEVICES.resolve(device).resolve("read_ahead_kb");
        if (!Files.isWritable(setting)) {
            return;
        }
        try {
            Files.writeString(setting, Integer.toString(Protocol.MAX_IO >> 10));
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "read-ahead stays as it is", e);
        }
    }
}
