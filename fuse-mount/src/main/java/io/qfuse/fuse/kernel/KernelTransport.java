package io.qfuse.fuse.kernel;

import io.qfuse.fuse.ImageFileSystem;
import io.qfuse.fuse.MountOptions;
import io.qfuse.fuse.TransportSession;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

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
        return serve(files, mountPoint, source, options, allowOther, Optional.empty());
    }

    /**
     * Mounts and serves.
     *
     * @param rings what most requests shall come over, from here on the session's; none for /dev/fuse
     * @throws RingsRefusedException where the kernel wants none; nothing is mounted then
     */
    static KernelTransport serve(
            ImageFileSystem files,
            Path mountPoint,
            String source,
            MountOptions options,
            boolean allowOther,
            Optional<Rings> rings)
            throws IOException {
        int device = mount(mountPoint, source, options, allowOther, rings);
        var session = new FuseSession(device, files, rings);
        try {
            session.start(options.workerCount());
        } catch (IOException | RuntimeException | Error e) {
            KernelMount.detach(mountPoint);
            awaitEnd(session);
            throw e;
        }
        return new KernelTransport(session);
    }

    private static int mount(
            Path mountPoint, String source, MountOptions options, boolean allowOther, Optional<Rings> rings)
            throws IOException {
        try {
            return KernelMount.mount(mountPoint, source, options, allowOther, Protocol.MAX_IO);
        } catch (IOException | RuntimeException | Error e) {
            rings.ifPresent(Rings::close);
            throw e;
        }
    }

    /** Of what had been started when the start failed. */
    private static void awaitEnd(FuseSession session) {
        try {
            session.awaitEnd();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void awaitUnmount() throws InterruptedException {
        session.awaitEnd();
    }
}
