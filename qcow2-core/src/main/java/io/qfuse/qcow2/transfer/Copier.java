package io.qfuse.qcow2.transfer;

import io.qfuse.qcow2.Layer;
import io.qfuse.qcow2.io.NativeBuffer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The workers of one copy. Each takes the next piece of the plan, reads it, looks through it for zeroes and gives it to the sink,
 * until none is left or one of them has failed. Memory: one piece a worker, and what the sink's writers have.
 */
final class Copier {

    private final Layer source;
    private final Plan plan;
    private final Sink sink;
    private final Progress progress;
    private final int most;
    private final int granule;
    private volatile @Nullable Throwable failure;

    /**
     * A copy.
     *
     * @param most the most bytes of a piece that is copied
     * @param granule how many bytes are zeroes together or not at all; 0 for not to look
     */
    Copier(Layer source, Plan plan, Sink sink, Progress progress, int most, int granule) {
        this.source = source;
        this.plan = plan;
        this.sink = sink;
        this.progress = progress;
        this.most = most;
        this.granule = granule;
    }

    /** Copies everything; the caller is one of the workers. When it returns or throws, no worker is running any more. */
    void run(int workers) throws IOException {
        List<Thread> others = new ArrayList<>();
        for (int i = 1; i < workers; i++) {
            Thread other = new Thread(this::work, "copy-" + i);
            other.setDaemon(true);
            others.add(other);
        }
        others.forEach(Thread::start);
        work();
        others.forEach(Copier::join);
        Throwable first = failure;
        if (first instanceof IOException e) {
            throw e;
        } else if (first instanceof RuntimeException e) {
            throw e;
        } else if (first instanceof Error e) {
            throw e;
        }
    }

    private void work() {
        try (NativeBuffer memory = NativeBuffer.allocate(most);
                Sink.Writer writer = sink.writer(most)) {
            ZeroScan scan = new ZeroScan(memory, granule);
            for (Piece piece = plan.next(); piece != null && failure == null; piece = plan.next()) {
                if (piece.zero()) {
                    writer.writeZeroes(piece);
                } else {
                    int length = (int) piece.length();
                    source.read(piece.offset(), memory.address(), length);
                    writer.write(piece, memory.address(), scan.segments(length));
                }
                progress.advance(piece.length());
            }
        } catch (IOException | RuntimeException | Error e) {
            fail(e);
        }
    }

    private synchronized void fail(Throwable e) {
        if (failure == null) {
            failure = e;
        }
        sink.giveUp();
    }

    /** Workers are never interrupted, and neither is who waits for them. */
    private static void join(Thread worker) {
        boolean interrupted = false;
        while (worker.isAlive()) {
            try {
                worker.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
