package io.qfuse.fuse;

import io.qfuse.fuse.ImageFileSystem.DiskPermissions;
import io.qfuse.fuse.MountOptions.AllowOther;
import io.qfuse.fuse.jnr.Libfuse2Transport;
import io.qfuse.fuse.kernel.KernelMount;
import io.qfuse.fuse.kernel.KernelTransport;
import io.qfuse.fuse.kernel.ReadAhead;
import io.qfuse.fuse.kernel.ReportCall;
import io.qfuse.fuse.kernel.RingTransport;
import io.qfuse.qcow2.Disk;
import io.qfuse.qcow2.HostAccess;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Disks that are mounted and served by this process. Safe for use by many threads.
 *
 * <p>The disks stay their owner's: a mount flushes them when it ends and closes none.
 */
public final class Mount implements AutoCloseable {

    private static final System.Logger LOG = System.getLogger(Mount.class.getPackageName());

    private final Path mountPoint;
    private final String device;
    private final TransportSession session;
    private final ImageFileSystem files;
    private final List<String> hints;

    /** Whether the last flush has been done; guarded by this. */
    private boolean finished;

    /** Why the last flush failed, if it did; guarded by this. */
    private @Nullable IOException lastFlush;

    private Mount(Path mountPoint, String device, TransportSession session, ImageFileSystem files, List<String> hints) {
        this.mountPoint = mountPoint;
        this.device = device;
        this.session = session;
        this.files = files;
        this.hints = hints;
    }

    /**
     * Mounts disks and starts to serve them; when this returns they can be read. A mount of ours at the same place whose
     * server is gone is removed first.
     *
     * @param images one or more, with different names; just one where the mount point is a regular file
     * @param mountPoint a directory, or a regular file to mount over
     * @throws IllegalArgumentException where two images have one name
     */
    public static Mount serve(List<ServedImage> images, Path mountPoint, MountOptions options, Transport transport)
            throws IOException {
        Errno.load();
        Path place = MountPoint.canonical(mountPoint);
        MountPoint.heal(place);
        MountPoint.check(place, images);
        var process = new HostAccess(KernelMount.uid(), KernelMount.gid(), 0600);
        Permissions root = options.permissions(process, Optional.empty());
        DiskPermissions ofDisks = disk -> options.permissions(process, access(disk));
        var files = Files.isRegularFile(place)
                ? ImageFileSystem.file(images.get(0), root, ofDisks)
                : ImageFileSystem.directory(images, root, ofDisks);
        try {
            return serve(files, place, options.withFsName(options.sourceFor(images.get(0))), transport);
        } catch (IOException | RuntimeException | Error e) {
            files.close();
            throw e;
        }
    }

    private static Mount serve(ImageFileSystem files, Path place, MountOptions options, Transport transport)
            throws IOException {
        boolean allowOther = allowsOther(options.allowOther());
        List<String> hints = new ArrayList<>();
        if (!allowOther && options.allowOther() != AllowOther.OFF) {
            hints.add("only this user, not even root, can use " + place + "; for others, put user_allow_other into "
                    + FuseConfiguration.FILE);
        }
        // Others than root cannot attach a loop device either.
        if (KernelMount.uid() == 0 && !IoFlusher.permitted()) {
            hints.add("without CAP_SYS_RESOURCE (for PR_SET_IO_FLUSHER) a file system in a loop device on " + place
                    + " can hang where memory is short; keep memory limits off this process");
        }
        var session = start(files, place, options, allowOther, transport, hints);
        String device = MountPoint.ours(place)
                .orElseThrow(() -> new MountException(place, "was changed by somebody else while it was mounted at"))
                .device();
        if (transport != Transport.JNR_FUSE) {
            ReadAhead.raise(device);
        }
        return new Mount(place, device, session, files, List.copyOf(hints));
    }

    /** Where the host does not tell, nobody else may use the disk. */
    private static Optional<HostAccess> access(Disk disk) {
        try {
            return disk.access();
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static boolean allowsOther(AllowOther wish) {
        return switch (wish) {
            case ON -> true;
            case OFF -> false;
            case AUTO -> KernelMount.uid() == 0 || FuseConfiguration.usersMayAllowOthers();
        };
    }

    private static TransportSession start(
            ImageFileSystem files,
            Path place,
            MountOptions options,
            boolean allowOther,
            Transport transport,
            List<String> hints)
            throws IOException {
        return switch (transport) {
            case KERNEL -> KernelTransport.serve(files, place, options.fsName(), options, allowOther);
            case IO_URING -> RingTransport.serve(files, place, options.fsName(), options, allowOther, hints::add);
            case JNR_FUSE -> Libfuse2Transport.serve(files, place, options.fsName(), options, allowOther);
        };
    }

    /** The mount point, absolute and without symbolic links. */
    public Path mountPoint() {
        return mountPoint;
    }

    /** What the user may want to know about how it was mounted, a sentence each; most often nothing. */
    public List<String> hints() {
        return hints;
    }

    /** The raw file of one of the served images. */
    public Path rawFile(ServedImage image) {
        return files.isOverFile() ? mountPoint : mountPoint.resolve(image.name());
    }

    private List<Path> rawFiles() throws IOException {
        return files.rawFiles().stream().map(mountPoint::resolve).toList();
    }

    /** Returns when the mount is gone and everything written to it is durable. */
    public void awaitUnmount() throws IOException, InterruptedException {
        session.awaitUnmount();
        finish();
    }

    /**
     * Flushes once: whoever comes second waits for it and hears the same, and does not touch disks that their owner may have
     * closed since.
     */
    private synchronized void finish() throws IOException {
        if (!finished) {
            finished = true;
            try {
                files.sync(ImageFileSystem.ROOT);
            } catch (IOException e) {
                lastFlush = e;
            }
            files.close();
        }
        if (lastFlush != null) {
            throw lastFlush;
        }
    }

    /** Unmounts; fails, and changes nothing, where somebody uses the mount. Harmless when it is gone already. */
    public void unmount() throws IOException {
        if (isOnTop()) {
            KernelMount.unmount(mountPoint);
        }
    }

    /**
     * Unmounts and returns when everything is durable. Who still uses the mount is cut off: first all that was written
     * through mapped memory is written back, then further requests fail.
     *
     * <p>An ordinary user cannot cut off others where the host does not let him: then the mount is out of the tree, what has
     * been written so far is durable, and the others are served until this process ends.
     */
    @Override
    public void close() throws IOException {
        boolean ended = true;
        try {
            unmount();
        } catch (MountException busy) {
            LOG.log(Level.WARNING, "{0}: told to end while it is in use: its users are cut off", mountPoint);
            rawFiles().forEach(KernelMount::writeBack);
            KernelMount.detach(mountPoint);
            ended = KernelMount.cutOff(device);
        }
        if (!ended) {
            files.sync(ImageFileSystem.ROOT);
            return;
        }
        try {
            awaitUnmount();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Somebody may have unmounted it, or mounted something else above it, which is not ours to touch. */
    private boolean isOnTop() throws IOException {
        return MountTable.read()
                .at(mountPoint)
                .map(entry -> entry.device().equals(device))
                .orElse(false);
    }

    /** What is on top at a mount point, whoever serves it, or nobody any more; the path may lead through links. */
    public static Optional<MountTable.Entry> at(Path mountPoint) throws IOException {
        return MountTable.read().at(MountPoint.canonical(mountPoint));
    }

    /** The device number of the mount, as {@code 0:42}. */
    public String device() {
        return device;
    }

    /**
     * Unmounts a mount of ours, whichever process serves it; a stale one, too. The server may need a moment more to flush
     * and close its images.
     *
     * @return what was mounted there
     * @throws MountException where no mount of ours is there, or somebody uses it
     */
    public static MountTable.Entry unmount(Path mountPoint) throws IOException {
        Path place = MountPoint.canonical(mountPoint);
        Optional<MountTable.Entry> entry = MountPoint.ours(place);
        if (entry.isEmpty()) {
            throw new MountException(mountPoint, "no image is mounted there");
        }
        if (KernelMount.isStale(place)) {
            MountPoint.heal(place);
        } else {
            KernelMount.unmount(place);
        }
        return entry.get();
    }

    /**
     * Asks the server of a mount of ours what it has done.
     *
     * @throws MountException where no mount of ours is there, its server is gone, or this user may not ask
     */
    public static MountReport report(Path mountPoint) throws IOException {
        Path place = MountPoint.canonical(mountPoint);
        MountTable.Entry entry =
                MountPoint.ours(place).orElseThrow(() -> new MountException(mountPoint, "no image is mounted there"));
        return ReportCall.ask(place, entry.user());
    }

    /** Takes a mount of ours out of the tree, whoever uses it and goes on to do so; its server ends with the last of them. */
    public static void detach(Path mountPoint) throws IOException {
        Path place = MountPoint.canonical(mountPoint);
        if (MountPoint.ours(place).isPresent()) {
            KernelMount.leaveTree(place);
        }
    }
}
