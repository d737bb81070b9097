package io.qfuse.fuse;

import java.io.IOException;

/** Why something could not be mounted or unmounted, in one line for the user. */
public final class MountException extends IOException {

    private static final long serialVersionUID = 1L;

    /**
     * A failure at one path.
     *
     * @param path the mount point or device
     * @param why the reason
     */
    public MountException(Object path, String why) {
        super(path + ": " + why);
    }
}
