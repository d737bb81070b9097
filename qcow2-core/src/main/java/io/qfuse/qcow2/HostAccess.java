package io.qfuse.qcow2;

import java.util.Optional;

/**
 * Who may use a file of the host, or what is made of several.
 *
 * @param uid the owner
 * @param gid the group
 * @param mode the permission bits for reading and writing, of {@code 0666}
 */
public record HostAccess(int uid, int gid, int mode) {

    private static final int READ_AND_WRITE = 0666;

    /** Other bits are left out. */
    public HostAccess {
        mode &= READ_AND_WRITE;
    }

    /**
     * Who may use both: where they have one owner and one group, those whom either lets in. Empty otherwise: bits of
     * different owners cannot be compared, and nobody may read a file by way of an image that names it.
     */
    static Optional<HostAccess> both(Optional<HostAccess> one, Optional<HostAccess> other) {
        return one.flatMap(a -> other.filter(b -> a.uid == b.uid && a.gid == b.gid)
                .map(b -> new HostAccess(a.uid, a.gid, a.mode & b.mode)));
    }
}
