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
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code qfuse unmount}: ends mounts, and returns when their images are free for others. */
@Command(
        name = "unmount",
        aliases = "umount",
        description = {
            "Unmounts, and returns when everything is flushed and the images are unlocked and closed.",
            "A mount whose server has died is cleaned away. A mount in use stays, and you are told who uses it."
        })
final class UnmountCommand implements Callable<Integer> {

    @Parameters(
            arity = "1..*",
            paramLabel = "MOUNTPOINT",
            description = "The directory or file that images are mounted at.")
    private List<Path> mountPoints = new ArrayList<>();

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() {
        int code = 0;
        for (Path mountPoint : mountPoints) {
            try {
                unmount(mountPoint.toAbsolutePath());
            } catch (IOException e) {
                Complaint.print(spec.commandLine().getErr(), e, Qfuse.verbose(spec));
                code = Qfuse.FAILED;
            }
        }
        return code;
    }

    /** Unmounts what is on top at an absolute path; returns when its images are free. */
    static void unmount(Path path) throws IOException {
        MountTable.Entry mount = Mount.at(path).orElseThrow(() -> new Failure(path, "nothing is mounted there"));
        if (!mount.isOurs()) {
            throw new Failure(path, "is no mount of qfuse, but of type " + mount.type());
        }
        Posix.leaveDirectory(); // which may be inside
        Optional<Path> record = ServerRecord.find(mount);
        if (record.isEmpty()) {
            unmountOrTellHolders(mount);
            return;
        }
        try (BufferedReader lastWord = Files.newBufferedReader(record.get())) {
            int server = Posix.processDescriptor(Processes.pid(record.get()));
            unmountOrTellHolders(mount);
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

    private static void unmountOrTellHolders(MountTable.Entry mount) throws IOException {
        try {
            Mount.unmount(mount.mountPoint());
        } catch (MountException e) {
            Optional<String> holders = new Holders(mount.mountPoint()).describe();
            throw holders.isPresent() ? new Failure(mount.mountPoint(), holders.get()) : e;
        }
    }
}
