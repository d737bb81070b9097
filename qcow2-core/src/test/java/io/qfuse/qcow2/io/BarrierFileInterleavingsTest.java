package io.qfuse.qcow2.io;

import static io.qfuse.qcow2.testing.Interleavings.Call.call;

import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.Interleavings;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Threads that write and then ask for a barrier, which is left out where nothing was written. */
@Tag("interleavings")
final class BarrierFileInterleavingsTest {

    /** What each of them must find. */
    public static class Flushes {

        /** Whether a byte that was written is durable behind a barrier. */
        public boolean isDurable(int offset) throws IOException {
            return true;
        }
    }

    /** The bytes that were written, and those that were there when the last barrier began. */
    private static final class Disk extends ForwardingFile {

        private final boolean[] written = new boolean[2];
        private final boolean[] durable = new boolean[2];

        Disk() {
            super(new MemoryHostFile("image.qcow2"));
        }

        @Override
        public void write(long offset, byte[] from, int start, int length) {
            written[(int) offset] = true;
        }

        @Override
        public void sync() {
            boolean first = written[0];
            boolean second = written[1];
            durable[0] |= first;
            durable[1] |= second;
        }
    }

    /** The same in a file that leaves barriers out. */
    public static class BarrierFlushes extends Flushes {

        private final Disk disk = new Disk();
        private final BarrierFile file = new BarrierFile(disk);

        void sync() throws IOException {
            file.sync();
        }

        @Override
        public boolean isDurable(int offset) throws IOException {
            file.write(offset, new byte[1], 0, 1);
            sync();
            return disk.durable[offset];
        }
    }

    /** Does not wait for the barrier that does what it wants. */
    public static final class NotWaiting extends BarrierFlushes {

        private volatile boolean busy;

        @Override
        void sync() throws IOException {
            if (!busy) {
                busy = true;
                super.sync();
                busy = false;
            }
        }
    }

    private static Interleavings flushes(Class<?> operations) {
        return new Interleavings(operations, Flushes.class)
                .thread(call("isDurable", 0))
                .thread(call("isDurable", 1));
    }

    @Test
    void what_returned_before_a_barrier_is_durable_behind_it_whoever_asked_for_it() {
        flushes(BarrierFlushes.class).explore();
    }

    @Test
    void a_flush_that_does_not_wait_would_be_seen() {
        flushes(NotWaiting.class).requireSeen();
    }
}
