package io.qfuse.fuse;

import io.qfuse.fuse.kernel.KernelMount;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** A place in the tree where something is, was, or shall be mounted. */
final class MountPoint {

    private MountPoint() {}

    /**
     * The path as the mount table has it. The place itself may be a mount whose server is gone, which can be named but not
     * looked at: then only what leads there is resolved.
     */
    static Path canonical(Path path) throws IOException {
        Path absolute = path.toAbsolutePath().normalize();
        refuseForeignLink(absolute);
        try {
            return absolute.toRealPath();
        } catch (IOException e) {
            Path parent = absolute.getParent();
            Path name = absolute.getFileName();
            if (parent == null || name == null) {
                throw e;
            }
            if (!Files.exists(parent)) {
                throw new MountException(path, "no such file or directory");
            }
            return parent.toRealPath().resolve(name);
        }
    }

    /** Who may put a link at the mount point must not choose what somebody else mounts over. */
    private static void refuseForeignLink(Path path) throws IOException {
        if (Files.isSymbolicLink(path)) {
            int owner = (int) Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS);
            if (owner != 0 && owner != KernelMount.uid()) {
                throw new MountException(path, "is a symbolic link of user " + owner + ": name what it leads to");
            }
        }
    }

    /** Removes mounts of ours whose server is gone from a canonical path. */
    static void heal(Path path) throws IOException {
        for (Optional<MountTable.Entry> top = ours(path);
                top.isPresent() && KernelMount.isStale(path);
                top = ours(path)) {
            KernelMount.detach(path);
        }
    }

    /** Our mount on top at a canonical path. */
    static Optional<MountTable.Entry> ours(Path path) throws IOException {
        return MountTable.read().at(path).filter(MountTable.Entry::isOurs);
    }

    /**
     * Checks that one can mount there.
     *
     * @param images what is to be mounted
     */
    static void check(Path path, List<ServedImage> images) throws IOException {
        Optional<MountTable.Entry> taken = ours(path);
        if (taken.isPresent()) {
            throw new MountException(path, "is in use: " + taken.get().source() + " is mounted there");
        }
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            throw new MountException(path, "no such file or directory");
        }
        boolean file = Files.isRegularFile(path);
        if (!file && !Files.isDirectory(path)) {
            throw new MountException(path, "is neither a directory nor a regular file");
        }
        if (file && images.size() > 1) {
            throw new MountException(path, "is a file, which can hold one image, not " + images.size());
        }
        if (file && images.get(0).snapshots().isPresent()) {
            throw new MountException(path, "is a file, which has no room for snapshots: mount at a directory");
        }
    }
}
