package io.qfuse.fuse.kernel;

import io.qfuse.fuse.ImageFileSystem;
import io.qfuse.fuse.MountOptions;
import io.qfuse.fuse.TransportSession;
import java.io.IOException;
import java.nio.file.Path;

/** A mount whose requests Java threads read from /dev/fuse. */
public final class KernelTransport implements TransportSession {

    private final FuseSession session;

    private KernelTransport(FuseSession session) {
        this.session = session;
    }

    /**
     * Mounts and serves.
     *
     * @param source what the mount table shows as the source
     * @param allowOther whether users other than the mounting one may come in
     */
    public static KernelTransport serve(
            ImageFileSystem files, Path mountPoint, String source, MountOptions options, boolean allowOther)
            throws IOException {
        int device = KernelMount.mount(mountPoint, source, options, allowOther, Protocol.MAX_IO);
        var session = new FuseSession(device, files);
        try {
            session.start(options.workerCount());
        } catch (IOException | RuntimeException | Error e) {
            KernelMount.detach(mountPoint);
            throw e;
        }
        return new KernelTransport(session);
    }

    @Override
    public void awaitUnmount() throws InterruptedException {
        session.awaitEnd();
    }
}
