package io.qfuse.qcow2.io;

import java.lang.System.Logger.Level;
import java.nio.file.Path;

/**
 * Notices what other programs do to a file that is open: that it loses its last name, or becomes shorter. Both are said once,
 * in the log; the file is used on through its descriptor. The path is not looked at: a file that is mounted over itself would
 * have its server ask itself.
 */
final class FileFate {

    private static final System.Logger LOG = System.getLogger(FileFate.class.getPackageName());

    private final Path path;
    private final int descriptor;
    /** Its bytes when it was looked at last, 0 where it may have become shorter rightly; guarded by this. */
    private long size;
    /** Whether it has been said that the file is gone; guarded by this. */
    private boolean gone;

    FileFate(Path path, int descriptor) {
        this.path = path;
        this.descriptor = descriptor;
    }

    /** We ourselves make the file shorter. */
    synchronized void mayShrink() {
        size = 0;
    }

    /**
     * Compares with the last look.
     *
     * @param links its names in directories
     * @param length its bytes now
     */
    synchronized void look(int links, long length) {
        if (links == 0 && !gone) {
            gone = true;
            say(
                    "was deleted or replaced by another program while it is in use: all that it holds is lost at the unmount, and can"
                            + " be had until then from /proc/"
                            + ProcessHandle.current().pid() + "/fd/" + descriptor);
        }
        if (length < size) {
            say("was cut from " + size + " to " + length + " bytes by another program while it is in use");
        }
        size = length;
    }

    private void say(String what) {
        LOG.log(Level.WARNING, OneLine.of(path + ": " + what));
    }
}
