package io.qfuse.cli;

import io.qfuse.fuse.MountTable;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Who keeps a mount from being unmounted, as far as this user may see. */
final class Holders {

    private static final long MOST_NAMED = 8;

    private final String mountPoint;

    Holders(Path mountPoint) {
        this.mountPoint = mountPoint.toString();
    }

    /** The holders in a phrase for the user, with what would let go; empty where none is to be seen. */
    Optional<String> describe() throws IOException {
        List<String> holders = new ArrayList<>();
        mountsBelow(holders);
        loopDevices(holders);
        processes(holders);
        return holders.isEmpty() ? Optional.empty() : Optional.of("in use by " + String.join(", ", holders));
    }

    private void mountsBelow(List<String> holders) throws IOException {
        for (MountTable.Entry mount : MountTable.read().all()) {
            if (isBelow(mount.mountPoint().toString())) {
                holders.add("the mount at " + mount.mountPoint());
            }
        }
    }

    private void loopDevices(List<String> holders) throws IOException {
        try (DirectoryStream<Path> devices = Files.newDirectoryStream(Path.of("/sys/block"), "loop*")) {
            for (Path device : devices) {
                Path backing = device.resolve("loop/backing_file");
                if (Files.exists(backing) && isInside(Files.readString(backing).strip())) {
                    holders.add(describeLoop("/dev/" + device.getFileName()));
                }
            }
        }
    }

    private static String describeLoop(String device) throws IOException {
        StringBuilder text = new StringBuilder("the loop device ").append(device);
        for (MountTable.Entry mount : MountTable.read().all()) {
            if (mount.source().startsWith(device)) {
                text.append(" mounted at ").append(mount.mountPoint());
            }
        }
        return text.append(" (losetup -d ").append(device).append(" frees it)").toString();
    }

    private void processes(List<String> holders) throws IOException {
        int unnamed = 0;
        for (long pid : Processes.all()) {
            if (pid != ProcessHandle.current().pid()
                    && Processes.heldFiles(pid).stream().anyMatch(this::isInside)) {
                if (holders.size() < MOST_NAMED) {
                    holders.add(Processes.name(pid) + " (process " + pid + ")");
                } else {
                    unnamed++;
                }
            }
        }
        if (unnamed > 0) {
            holders.add(unnamed + " more processes");
        }
    }

    private boolean isInside(String path) {
        return path.equals(mountPoint) || isBelow(path);
    }

    private boolean isBelow(String path) {
        return path.startsWith(mountPoint + "/");
    }
}
