package io.qfuse.fuse.kernel;

import io.qfuse.fuse.ImageFileSystem;
import io.qfuse.fuse.MountOptions;
import io.qfuse.fuse.TransportSession;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;

/** A mount whose requests come over io_uring. */
public final class RingTransport {

    private RingTransport() {}

    /**
     * Mounts and serves; by {@link KernelTransport} where the host has no FUSE over io_uring.
     *
     * @param source what the mount table shows as the source
     * @param allowOther whether users other than the mounting one may come in
     * @param hints is told why requests come another way, if they do
     */
    public static TransportSession serve(
            ImageFileSystem files,
            Path mountPoint,
            String source,
            MountOptions options,
            boolean allowOther,
            Consumer<String> hints)
            throws IOException {
        try {
            return KernelTransport.serve(files, mountPoint, source, options, allowOther, Optional.of(Rings.create()));
        } catch (RingsRefusedException e) {
            hints.accept("requests come from /dev/fuse and not over io_uring: " + e.getMessage());
            return KernelTransport.serve(files, mountPoint, source, options, allowOther, Optional.empty());
        }
    }
}
