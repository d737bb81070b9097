package io.qfuse.fuse.jnr;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ImageFileSystem;
import io.qfuse.fuse.IoFlusher;
import io.qfuse.fuse.MountException;
import io.qfuse.fuse.MountFlag;
import io.qfuse.fuse.MountOptions;
import io.qfuse.fuse.RequestKind;
import io.qfuse.fuse.RequestTally;
import io.qfuse.fuse.TransportSession;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.StringJoiner;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;
import jnr.ffi.Struct;

/**
 * A mount that libfuse2 serves, its loop run by Java threads.
 *
 * <p>libfuse2 knows nothing of FUSE_LSEEK and would refuse it for good, and with it SEEK_DATA. So the threads read the
 * library's channel themselves, answer {@linkplain OwnRequest those requests}, and hand every other to the library, which
 * calls {@link JnrFuseFileSystem} and replies. What it took is counted once it has replied.
 */
public final class Libfuse2Transport implements TransportSession {

    private static final System.Logger LOG = System.getLogger(Libfuse2Transport.class.getPackageName());

    private static final int MAX_IO = 128 << 10;

    private final Libfuse2.Functions library;
    /** The library keeps pointers into it. */
    private final JnrFuseFileSystem callbacks;

    private final ImageFileSystem files;
    private final long fuse;
    private final long session;
    private final long channel;
    private final int device;
    private final List<Thread> threads = new ArrayList<>();
    /** Whether the library has freed its side; guarded by this. */
    private boolean destroyed;

    private Libfuse2Transport(
            Libfuse2.Functions library, JnrFuseFileSystem callbacks, ImageFileSystem files, long fuse) {
        this.library = library;
        this.callbacks = callbacks;
        this.files = files;
        this.fuse = fuse;
        this.session = library.fuse_get_session(fuse);
        this.channel = library.fuse_session_next_chan(session, 0);
        this.device = library.fuse_chan_fd(channel);
    }

    /**
     * Mounts and serves. Where the library cannot mount it says why on the standard error itself.
     *
     * @param source what the mount table shows as the source
     * @param allowOther whether users other than the mounting one may come in
     */
    public static Libfuse2Transport serve(
            ImageFileSystem files, Path mountPoint, String source, MountOptions options, boolean allowOther)
            throws IOException {
        Libfuse2.Functions library;
        JnrFuseFileSystem callbacks;
        try {
            library = Libfuse2.load();
            callbacks = new JnrFuseFileSystem(files);
        } catch (LinkageError e) {
            throw new MountException("libfuse.so.2", "cannot be loaded: install libfuse2 (" + e.getMessage() + ")");
        }
        String[] arguments = {"qfuse", mountPoint.toString(), "-f", "-o", words(source, options, allowOther)};
        long fuse = library.fuse_setup(
                arguments.length,
                arguments,
                callbacks.operations(),
                Struct.size(callbacks.operations()),
                new long[1],
                new int[1],
                0);
        if (fuse == 0) {
            throw new MountException(mountPoint, "libfuse2 could not mount there; its reason stands above");
        }
        var transport = new Libfuse2Transport(library, callbacks, files, fuse);
        transport.start(options.workerCount());
        return transport;
    }

    private static String words(String source, MountOptions options, boolean allowOther) {
        var words = new StringJoiner(",");
        // The kernel may keep names and pages, for nobody else changes them, but no attributes: space taken changes.
        words.add("use_ino,kernel_cache,entry_timeout=1000000,attr_timeout=0,big_writes,nonempty")
                .add("max_read=" + MAX_IO)
                .add("max_write=" + MAX_IO)
                .add("subtype=" + escaped(options.subtype()))
                .add("fsname=" + escaped(source));
        for (MountFlag flag : options.flags()) {
            words.add(flag.setWord());
        }
        if (allowOther) {
            words.add("allow_other");
        }
        if (allowOther || options.defaultPermissions()) {
            words.add("default_permissions");
        }
        return words.toString();
    }

    private static String escaped(String value) {
        return value.replace("\\", "\\\\").replace(",", "\\,");
    }

    private void start(int workers) {
        // Signals are the business of the program, not of the library.
        library.fuse_remove_signal_handlers(session);
        for (int i = 0; i < workers; i++) {
            var thread = new Thread(this::serve, "libfuse2-" + i);
            thread.setDaemon(true);
            threads.add(thread);
            thread.start();
        }
    }

    private void serve() {
        IoFlusher.markThisThread();
        ByteBuffer request = ByteBuffer.allocateDirect((int) library.fuse_chan_bufsize(channel))
                .order(ByteOrder.nativeOrder());
        long address = Pointer.wrap(Runtime.getSystemRuntime(), request).address();
        RequestTally tally = files.newTally();
        for (; ; ) {
            long got = library.read(device, address, request.capacity());
            if (got < 0) {
                if (!goesOn(Libfuse2.errno())) {
                    return;
                }
            } else {
                serve(request, address, got, tally);
            }
        }
    }

    private void serve(ByteBuffer request, long address, long length, RequestTally tally) {
        long begun = System.nanoTime();
        int opcode = request.getInt(4);
        int result;
        if (OwnRequest.is(opcode)) {
            result = -OwnRequest.answer(request, files);
            library.write(device, address, request.getInt(0));
        } else {
            library.fuse_session_process(session, address, length, channel);
            result = callbacks.takeResult();
        }
        long nanos = System.nanoTime() - begun;
        if (result < 0) {
            tally.failed(RequestKind.of(opcode), nanos);
        } else {
            tally.served(RequestKind.of(opcode), nanos, result);
        }
    }

    private static boolean goesOn(int errno) {
        if (errno == Errno.EINTR || errno == Errno.EAGAIN || errno == Errno.ENOENT) {
            return true;
        }
        if (errno != Errno.ENODEV && errno != Errno.ECONNABORTED) {
            LOG.log(Level.ERROR, "/dev/fuse cannot be read any more: error {0}", errno);
        }
        return false;
    }

    @Override
    public void awaitUnmount() throws InterruptedException {
        for (Thread thread : threads) {
            thread.join();
        }
        try {
            destroy();
        } finally {
            Reference.reachabilityFence(callbacks);
        }
    }

    private synchronized void destroy() {
        if (!destroyed) {
            destroyed = true;
            library.fuse_destroy(fuse);
        }
    }
}
