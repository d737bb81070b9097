package io.qfuse.fuse;

import io.qfuse.qcow2.HostAccess;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * How to mount. Values are immutable; each {@code with} method gives a changed copy.
 *
 * <p>A disk has the owner, group and permission bits of its image, so that nobody can do more with it than with that. Where it is
 * made of files of several owners, or encrypted, it is the process's own and 0600. The root directory is the process's own and
 * 0755. {@code uid} and {@code gid} give all files an owner and group, a {@code umask} the bits 0666 and 0777 without its own. A
 * disk that cannot be written shows no write bits.
 *
 * @param flags those of mount(2)
 * @param allowOther whether users other than the mounting one may use the mount, as far as the permission bits let them
 * @param defaultPermissions whether the kernel checks permission bits; always so where others are allowed
 * @param uid the owner, or {@link #UNSET}
 * @param gid the group, or {@link #UNSET}
 * @param umask the permission bits to leave out, or {@link #UNSET}
 * @param fsName what the mount table names as the source; empty for the image's path
 * @param subtype the file system's type is {@code fuse.} and this: {@link #SUBTYPE}, or that, a dot, and what the user
 *     calls it
 * @param workers threads that serve requests at once; 0 for as many as there are processors, at least two
 */
public record MountOptions(
        Set<MountFlag> flags,
        AllowOther allowOther,
        boolean defaultPermissions,
        int uid,
        int gid,
        int umask,
        String fsName,
        String subtype,
        int workers) {

    /** No value given. */
    public static final int UNSET = -1;

    /** The subtype that says the mount is ours. */
    public static final String SUBTYPE = "qfuse";

    /** Whether users other than the mounting one may use the mount. */
    public enum AllowOther {
        /** Where it is permitted; otherwise the mount goes without. */
        AUTO,
        /** Or the mount fails. */
        ON,
        /** No. */
        OFF
    }

    /** Copies the flags. */
    public MountOptions {
        flags = Set.copyOf(flags);
        if (workers < 0 || workers > 256) {
            throw new IllegalArgumentException("workers: " + workers + " is not between 1 and 256");
        }
    }

    /** The defaults: for reading and writing, nosuid, nodev, others allowed where permitted. */
    public static MountOptions defaults() {
        return new MountOptions(
                Set.of(MountFlag.NOSUID, MountFlag.NODEV), AllowOther.AUTO, false, UNSET, UNSET, UNSET, "", SUBTYPE, 0);
    }

    /**
     * These options with the words of a {@code -o} list, separated by commas; a comma inside a value is written
     * {@code \,}.
     *
     * @throws IllegalArgumentException with a sentence for the user, for an unknown word or a value that is none
     */
    public MountOptions withWords(String words) {
        MountOptions options = this;
        for (String word : words.split("(?<!\\\\),", -1)) {
            if (!word.isEmpty()) {
                options = MountWord.apply(options, word.replace("\\,", ","));
            }
        }
        return options;
    }

    /** Whether nothing may be written. */
    public boolean readOnly() {
        return flags.contains(MountFlag.RDONLY);
    }

    /** With writing allowed or not. */
    public MountOptions withReadOnly(boolean readOnly) {
        return withFlag(MountFlag.RDONLY, readOnly);
    }

    /** With others allowed or not. */
    public MountOptions withAllowOther(AllowOther newAllowOther) {
        return new MountOptions(flags, newAllowOther, defaultPermissions, uid, gid, umask, fsName, subtype, workers);
    }

    /** With a number of serving threads. */
    public MountOptions withWorkers(int newWorkers) {
        return new MountOptions(flags, allowOther, defaultPermissions, uid, gid, umask, fsName, subtype, newWorkers);
    }

    /** With the name that the mount table shows as the source. */
    public MountOptions withFsName(String newFsName) {
        return new MountOptions(flags, allowOther, defaultPermissions, uid, gid, umask, newFsName, subtype, workers);
    }

    MountOptions withSubtype(String newSubtype) {
        return new MountOptions(flags, allowOther, defaultPermissions, uid, gid, umask, fsName, newSubtype, workers);
    }

    MountOptions withDefaultPermissions() {
        return new MountOptions(flags, allowOther, true, uid, gid, umask, fsName, subtype, workers);
    }

    MountOptions withOwner(int newUid, int newGid, int newUmask) {
        return new MountOptions(
                flags, allowOther, defaultPermissions, newUid, newGid, newUmask, fsName, subtype, workers);
    }

    MountOptions withFlag(MountFlag flag, boolean set) {
        Set<MountFlag> changed = new TreeSet<>(flags);
        if (set) {
            changed.add(flag);
        } else {
            changed.remove(flag);
        }
        return new MountOptions(changed, allowOther, defaultPermissions, uid, gid, umask, fsName, subtype, workers);
    }

    /**
     * The owner and the permission bits.
     *
     * @param process what nobody else has a say in
     * @param image who may use the image; empty for the process alone
     */
    Permissions permissions(HostAccess process, Optional<HostAccess> image) {
        HostAccess like = image.orElse(process);
        int fileBits = umask == UNSET ? like.mode() : 0666 & ~umask;
        int directoryBits = umask == UNSET ? 0755 : 0777 & ~umask;
        return new Permissions(
                uid == UNSET ? like.uid() : uid, gid == UNSET ? like.gid() : gid, fileBits, directoryBits);
    }

    /** The flags as mount(2) wants them. */
    public long flagBits() {
        long bits = 0;
        for (MountFlag flag : flags) {
            bits |= flag.bit();
        }
        return bits;
    }

    /** The number of serving threads, the default worked out. */
    public int workerCount() {
        return workers > 0 ? workers : Math.max(2, Runtime.getRuntime().availableProcessors());
    }

    /** The source that the mount table shows for these images. */
    public String sourceFor(ServedImage first) {
        return fsName.isEmpty() ? Objects.requireNonNull(first.image()).toString() : fsName;
    }
}
