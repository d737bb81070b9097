package io.qfuse.fuse.kernel;

import io.qfuse.fuse.ImageFileSystem;
import io.qfuse.fuse.MountOptions;
import io.qfuse.fuse.TransportSession;
import java.io.IOException;
import java.nio.file.Path;

/** A mount whose requests Java threads read from /dev/fuse. */
public final class KernelTransport implements TransportSession {

    private final Path mountPoint;
    private final FuseSession session;

    private KernelTransport(Path mountPoint, FuseSession session) {
        this.mountPoint = mountPoint;
        this.session = session;
    }

    /** Mounts and serves. */
    public static KernelTransport serve(
            ImageFileSystem files, Path mountPoint, String source, MountOptions options, boolean allowOther)
            throws IOException {
        int device = KernelMount.mount(mountPoint, source, options, allowOther);
        var session = new FuseSession(device, files);
        session.start(options.workerCount());
        return new KernelTransport(mountPoint, session);
    }

    @Override
    public void awaitUnmount() throws InterruptedException {
        session.await();
    }

    @Override
    public void unmount(boolean force) throws IOException {
        KernelMount.unmount(mountPoint, force);
    }
}
