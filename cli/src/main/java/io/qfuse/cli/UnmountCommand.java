package io.qfuse.cli;

import io.qfuse.fuse.Mount;
import io.qfuse.fuse.MountException;
import io.qfuse.fuse.MountTable;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code qfuse unmount}: ends mounts, and returns when their images are free for others. */
@Command(
        name = "unmount",
        aliases = "umount",
        description = {
            "Unmounts, and returns when everything is flushed and the images are unlocked and closed.",
            "A mount whose server has died is cleaned away. A mount in use stays, and you are told who uses it. So does one"
                    + " whose host has no room for what was written: free some, and unmount again."
        })
final class UnmountCommand implements Callable<Integer> {

    @Parameters(
            arity = "1..*",
            paramLabel = "MOUNTPOINT",
            description = "The directory or file that images are mounted at.")
    private List<Path> mountPoints = new ArrayList<>();

    @Option(
            names = "--lazy",
            description =
                    "Take a mount in use out of the tree at once; its server flushes and ends when the last user goes.")
    private boolean lazy;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() {
        int code = 0;
        for (Path mountPoint : mountPoints) {
            try {
                unmount(mountPoint.toAbsolutePath(), lazy);
            } catch (IOException e) {
                Complaint.print(spec.commandLine().getErr(), e, Qfuse.verbose(spec));
                code = Qfuse.FAILED;
            }
        }
        return code;
    }

    /** Unmounts what is on top at an absolute path; returns when its images are free. */
    static void unmount(Path path) throws IOException {
        unmount(path, false);
    }

    private static void unmount(Path path, boolean lazily) throws IOException {
        MountTable.Entry mount = Mount.at(path).orElseThrow(() -> new Failure(path, "nothing is mounted there"));
        if (!mount.isOurs()) {
            throw new Failure(path, "is no mount of qfuse, but of type " + mount.type());
        }
        Posix.leaveDirectory(); // which may be inside
        Optional<Path> record = ServerRecord.find(mount);
        if (record.isEmpty()) {
            unmountOrTellHolders(mount, lazily);
            return;
        }
        try (BufferedReader lastWord = Files.newBufferedReader(record.get())) {
            int server = Posix.processDescriptor(Processes.pid(record.get()));
            // While it is mounted nothing is lost yet: there may be room later.
            if (!lazily && Posix.lacksRoomToSync(mount.mountPoint().toString())) {
                Posix.close(server);
                throw new Failure(
                        path, "not unmounted: the host has no room for what was written; free some and try again");
            }
            if (!unmountOrTellHolders(mount, lazily)) {
                Posix.close(server);
                return;
            }
            Posix.awaitEndAndClose(server);
            String said = lastWord.readLine();
            if (said == null) {
                throw new Failure(path, "unmounted, but the server died before all was flushed");
            }
            if (!said.equals(ServerRecord.CLOSED)) {
                throw new Failure(path, "unmounted, but not all is flushed: " + said);
            }
        }
    }

    /** Unmounts; false where the mount is in use and has only left the tree. */
    private static boolean unmountOrTellHolders(MountTable.Entry mount, boolean lazily) throws IOException {
        try {
            Mount.unmount(mount.mountPoint());
            return true;
        } catch (MountException e) {
            Optional<String> holders = new Holders(mount.mountPoint()).describe();
            if (!lazily) {
                throw holders.isPresent() ? new Failure(mount.mountPoint(), holders.get()) : e;
            }
            Mount.detach(mount.mountPoint());
            System.err.println("qfuse: " + mount.mountPoint() + ": out of the tree, but still "
                    + holders.orElse("in use") + "; the images are free when that has ended");
            return false;
        }
    }
}
