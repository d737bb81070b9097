package io.qfuse.qcow2.io;

import io.qfuse.qcow2.Qcow2Exception;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The locks by which QEMU and qfuse keep out of each other's images (format notes, section 22).
 *
 * <p>Each permission has a bit. Whoever uses it holds byte {@code 100 + bit} of the file, whoever does not let others
 * use it holds byte {@code 200 + bit}; all of these are read locks, which never conflict by themselves. Having taken its
 * own, a newcomer <em>tests</em> whether a write lock on the opposite bytes would conflict, and withdraws if so. Two
 * newcomers may thus both withdraw, but never both stay.
 *
 * <p>The locks belong to the open file description, so that another descriptor of the process neither loses them by its
 * closing nor passes for their owner. File systems without such locks go unlocked, as with QEMU.
 */
public final class ImageLock implements AutoCloseable {

    /** What the image is opened for. */
    public enum Mode {
        /** Reading and writing; nobody else may write. */
        WRITE(0b1011, 0b1010),
        /** Reading; nobody else may write. */
        READ(0b0001, 0b1010),
        /** Reading, whoever writes meanwhile. */
        SHARED_READ(0b0001, 0);

        private final int used;
        private final int unshared;

        Mode(int used, int unshared) {
            this.used = used;
            this.unshared = unshared;
        }
    }

    private static final String[] PERMISSIONS = {"consistent read", "write", "write unchanged", "resize"};
    private static final int USED = 100;
    private static final int UNSHARED = 200;

    private static final int READ_LOCK = 0;
    private static final int WRITE_LOCK = 1;
    private static final int UNLOCK = 2;
    private static final int FLOCK_SIZE = 32;

    private final NativeHostFile file;
    private final AtomicBoolean open = new AtomicBoolean(true);

    private ImageLock(NativeHostFile file) {
        this.file = file;
    }

    /**
     * Locks an image, until the lock or the file is closed.
     *
     * @throws Qcow2Exception of kind {@code LOCKED} where another open of the file is in the way
     */
    public static ImageLock acquire(NativeHostFile file, Mode mode) throws IOException {
        ImageLock lock = new ImageLock(file);
        boolean done = false;
        try {
            lock.hold(mode);
            lock.test(mode);
            done = true;
            return lock;
        } finally {
            if (!done) {
                lock.close();
            }
        }
    }

    private void hold(Mode mode) throws IOException {
        for (int bit = 0; bit < PERMISSIONS.length; bit++) {
            boolean ok = (mode.used >> bit & 1) == 0 || call(Native.F_OFD_SETLK, READ_LOCK, USED + bit);
            ok &= (mode.unshared >> bit & 1) == 0 || call(Native.F_OFD_SETLK, READ_LOCK, UNSHARED + bit);
            if (!ok) {
                throw conflict(bit);
            }
        }
    }

    private void test(Mode mode) throws IOException {
        for (int bit = 0; bit < PERMISSIONS.length; bit++) {
            boolean ok = (mode.used >> bit & 1) == 0 || call(Native.F_OFD_GETLK, WRITE_LOCK, UNSHARED + bit);
            ok &= (mode.unshared >> bit & 1) == 0 || call(Native.F_OFD_GETLK, WRITE_LOCK, USED + bit);
            if (!ok) {
                throw conflict(bit);
            }
        }
    }

    private Qcow2Exception conflict(int bit) throws IOException {
        String holders = LockHolders.describe(file);
        return new Qcow2Exception(
                Qcow2Exception.Kind.LOCKED,
                file.path(),
                "cannot get the \"" + PERMISSIONS[bit] + "\" lock: in use by "
                        + (holders.isEmpty() ? "another program (QEMU or qfuse)" : holders));
    }

    /** Locks or tests one byte; false where another holder is in the way. */
    private boolean call(int command, int type, int position) throws IOException {
        return call(command, type, position, 1);
    }

    private boolean call(int command, int type, int position, int length) throws IOException {
        try (NativeBuffer buffer = BufferPool.shared().take(FLOCK_SIZE)) {
            // struct flock: short type, short whence, long start, long length, int pid (0 for these locks)
            long flock = buffer.address();
            NativeBuffer.zero(flock, FLOCK_SIZE);
            NativeBuffer.putShort(flock, (short) type);
            NativeBuffer.putLong(flock + 8, position);
            NativeBuffer.putLong(flock + 16, length);
            while (Native.libc().fcntl(file.descriptor(), command, flock) != 0) {
                int errno = Native.errno();
                if (errno == Native.EAGAIN || errno == Native.EACCES) {
                    return false;
                }
                if (Native.isUnsupported(errno) || errno == Native.ENOLCK) {
                    return true;
                }
                if (errno != Native.EINTR) {
                    throw new HostIoException(file.path(), "locking byte " + position, errno, Native.describe(errno));
                }
            }
            return command != Native.F_OFD_GETLK || NativeBuffer.getShort(flock) == UNLOCK;
        }
    }

    /** Gives the image free for others; closing twice is harmless, closing the file first is not allowed. */
    @Override
    public void close() throws IOException {
        if (!open.compareAndSet(true, false)) {
            return;
        }
        int end = UNSHARED + PERMISSIONS.length;
        boolean unlocked = call(Native.F_OFD_SETLK, UNLOCK, USED, end - USED);
        assert unlocked : "unlocking never waits for others";
    }
}
