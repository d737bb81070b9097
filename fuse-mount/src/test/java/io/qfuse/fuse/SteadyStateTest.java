package io.qfuse.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.qfuse.qcow2.Disk;
import io.qfuse.qcow2.Extent;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a mount costs beside the disk below it. */
@Tag("system")
final class SteadyStateTest {

    private static final int REQUESTS = 3000;

    @TempDir
    Path temporary;

    /** A disk that does nothing, so that only the transport is seen. */
    private static final class IdleDisk implements Disk {
        @Override
        public long size() {
            return 1 << 20;
        }

        @Override
        public boolean writable() {
            return true;
        }

        @Override
        public long allocatedBytes() {
            return 0;
        }

        @Override
        public void read(long offset, long address, int length) {}

        @Override
        public void write(long offset, long address, int length) {}

        @Override
        public void writeZeroes(long offset, long length, boolean unmap) {}

        @Override
        public void allocate(long offset, long length) {}

        @Override
        public Extent nextExtent(long offset) {
            return new Extent(Extent.Kind.HOLE, offset, size() - offset);
        }

        @Override
        public void flush() {}

        @Override
        public void resize(long newSize) {}

        @Override
        public void close() {}
    }

    @Test
    void reads_and_writes_over_io_uring_allocate_nothing() throws Exception {
        IoUringSwitch on = IoUringSwitch.enabled(true);
        try {
            assertNothingAllocated(Transport.IO_URING);
        } finally {
            on.close();
        }
    }

    @Test
    void reads_and_writes_allocate_nothing() throws Exception {
        assertNothingAllocated(Transport.KERNEL);
    }

    private void assertNothingAllocated(Transport transport) throws Exception {
        var image = new ServedImage("disk.raw", new IdleDisk(), temporary);
        Path place = Files.createDirectory(temporary.resolve("mnt"));
        try (var mount = Mount.serve(List.of(image), place, MountOptions.defaults(), transport);
                var file = FileChannel.open(
                        mount.rawFile(image), StandardOpenOption.READ, StandardOpenOption.WRITE, DirectIo.DIRECT)) {
            readAndWrite(file);
            long before = allocatedByWorkers();
            readAndWrite(file);
            assertThat(allocatedByWorkers() - before).isLessThan(REQUESTS);
        }
    }

    @Test
    void kernel_reads_a_whole_request_ahead() throws Exception {
        var image = new ServedImage("disk.raw", new IdleDisk(), temporary);
        Path place = Files.createDirectory(temporary.resolve("mnt"));
        try (var mount = Mount.serve(List.of(image), place, MountOptions.defaults(), Transport.KERNEL)) {
            String device =
                    MountTable.read().at(mount.mountPoint()).orElseThrow().device();
            assertThat(Path.of("/sys/class/bdi", device, "read_ahead_kb")).hasContent("1024");
        }
    }

    private static void readAndWrite(FileChannel file) throws IOException {
        ByteBuffer page = ByteBuffer.allocateDirect(8192).alignedSlice(4096).slice(0, 4096);
        for (int i = 0; i < REQUESTS; i++) {
            long offset = i % 256 * 4096L;
            if (i % 2 == 0) {
                file.read(page.clear(), offset);
            } else {
                file.write(page.clear(), offset);
            }
        }
    }

    private static long allocatedByWorkers() {
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long[] workers = Arrays.stream(threads.getThreadInfo(threads.getAllThreadIds()))
                .filter(info -> info != null && info.getThreadName().startsWith("fuse-"))
                .mapToLong(info -> info.getThreadId())
                .toArray();
        return Arrays.stream(threads.getThreadAllocatedBytes(workers)).sum();
    }
}
