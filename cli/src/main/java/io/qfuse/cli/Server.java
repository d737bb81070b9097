package io.qfuse.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.qfuse.fuse.Mount;
import io.qfuse.fuse.ServedImage;
import io.qfuse.qcow2.Disk;
import io.qfuse.qcow2.io.NativeBuffer;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/**
 * Serves images until they are unmounted, from within or by a signal.
 *
 * <p>One thread does everything in order: open, mount, wait, close. A signal starts the virtual machine's shutdown, whose
 * hook asks for the unmount, lets that thread come to its end, and only then lets the process go, with the code of that
 * end and not of the signal. A second signal finds the shutdown under way and changes nothing.
 */
final class Server {

    private static final int SECTOR = 512;

    private final ServeRequest request;
    private final CountDownLatch mountedOrFailed = new CountDownLatch(1);
    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile @Nullable Mount mount;
    private volatile boolean signalled;
    private volatile int exitCode = Qfuse.FAILED;

    private Server(ServeRequest request) {
        this.request = request;
    }

    /** Serves to the end; returns when all is flushed, unlocked and closed. */
    static void serve(ServeRequest request) throws IOException, InterruptedException {
        Server server = new Server(request);
        Runtime.getRuntime().addShutdownHook(new Thread(server::endBySignal, "shutdown"));
        try {
            server.run();
            server.exitCode = 0;
        } catch (IOException e) {
            if (!server.signalled) {
                throw e;
            }
            // The hook ends the process as soon as it may: the caller would come too late to say this.
            Complaint.print(stderr(), e, false);
        } finally {
            server.mountedOrFailed.countDown();
            server.ended.countDown();
        }
    }

    private void run() throws IOException, InterruptedException {
        try (OpenImages images = OpenImages.open(request);
                Announcement announcement = Announcement.prepare(request)) {
            for (ServedImage image : images.served()) {
                readOnce(image.disk());
            }
            Mount serving = Mount.serve(images.served(), request.mountPoint(), request.mount(), request.transport());
            try {
                images.reportTo(ServerRecord.create(serving.device()));
                if (!request.quiet()) {
                    serving.hints().forEach(hint -> System.err.println("qfuse: " + hint));
                }
                announcement.ready();
            } catch (IOException | RuntimeException e) {
                serving.close();
                throw e;
            }
            mount = serving;
            mountedOrFailed.countDown();
            serving.awaitUnmount();
        }
    }

    // A disk whose very beginning cannot be read is better not mounted.
    private static void readOnce(Disk disk) throws IOException {
        try (NativeBuffer sector = NativeBuffer.allocate(SECTOR)) {
            disk.read(0, sector.address(), (int) Math.min(SECTOR, disk.size()));
        }
    }

    // Runs beside the serving thread when the process is told to end, and after it when it ends by itself.
    private void endBySignal() {
        try {
            signalled = ended.getCount() > 0;
            mountedOrFailed.await();
            Mount serving = mount;
            if (ended.getCount() > 0 && serving != null) {
                serving.close();
            }
            ended.await();
        } catch (IOException | InterruptedException e) {
            Complaint.print(stderr(), e, false);
            exitCode = Qfuse.FAILED;
        }
        Runtime.getRuntime().halt(exitCode);
    }

    private static PrintWriter stderr() {
        return new PrintWriter(System.err, true, UTF_8);
    }
}
