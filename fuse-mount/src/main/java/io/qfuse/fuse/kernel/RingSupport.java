package io.qfuse.fuse.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the host says of FUSE over io_uring before anything is asked of it. */
final class RingSupport {

    private static final Path SWITCH = Path.of("/sys/module/fuse/parameters/enable_uring");
    private static final Path PROCESSORS = Path.of("/sys/devices/system/cpu/possible");

    private RingSupport() {}

    /** How many queues the kernel wants: one for each processor that there could be. */
    static int queues() throws RingsRefusedException {
        try {
            if (Files.notExists(SWITCH)) {
                throw new RingsRefusedException("this kernel has no FUSE over io_uring, which came with Linux 6.14");
            }
            String enabled = Files.readString(SWITCH).strip();
            if (!enabled.equals("Y")) {
                throw new RingsRefusedException(SWITCH + " is " + enabled + "; root can write Y to it");
            }
            return count(Files.readString(PROCESSORS).strip());
        } catch (RingsRefusedException e) {
            throw e;
        } catch (IOException | NumberFormatException e) {
            throw new RingsRefusedException(e);
        }
    }

    /** The number of members of a list such as {@code 0-3,8}. */
    static int count(String list) {
        int count = 0;
        for (String range : list.split(",", -1)) {
            int dash = range.indexOf('-');
            count += dash < 0
                    ? 1
                    : Integer.parseInt(range.substring(dash + 1)) - Integer.parseInt(range.substring(0, dash)) + 1;
        }
        return count;
    }
}
