package io.qfuse.qcow2.testing;

import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A sparse file in memory, with pages of 4 KiB. Safe for use by many threads; use after {@link #close} fails. A page of
 * zeroes that was written counts as data, a punched page as a hole, and bytes behind the end are always zeroes.
 */
public final class MemoryHostFile implements HostFile {

    private static final int PAGE = 4096;

    private final Path path;
    private final ConcurrentSkipListMap<Long, byte[]> pages = new ConcurrentSkipListMap<>(); // by page number
    private final AtomicLong size = new AtomicLong();
    private volatile boolean open = true;

    /** An empty file. */
    public MemoryHostFile(String name) {
        this.path = Path.of(name);
    }

    /** A file with the content of a real one. */
    public static MemoryHostFile of(Path file) throws IOException {
        MemoryHostFile memory = new MemoryHostFile(file.toString());
        byte[] bytes = Files.readAllBytes(file);
        memory.write(0, bytes, 0, bytes.length);
        return memory;
    }

    /** An open file of its own with the same content. */
    public MemoryHostFile copy() {
        MemoryHostFile copy = new MemoryHostFile(path.toString());
        pages.forEach((number, page) -> copy.pages.put(number, page.clone()));
        copy.size.set(size.get());
        return copy;
    }

    /** Stores the content as a real file, sparse where this one is. */
    public void saveTo(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            for (Map.Entry<Long, byte[]> entry : pages.entrySet()) {
                long offset = entry.getKey() * PAGE;
                int length = (int) Math.min(PAGE, size.get() - offset);
                channel.write(java.nio.ByteBuffer.wrap(entry.getValue(), 0, length), offset);
            }
            if (size.get() > channel.size()) {
                channel.write(java.nio.ByteBuffer.allocate(1), size.get() - 1);
            }
        }
    }

    /** The bytes of a range. */
    public byte[] bytes(long offset, int length) {
        byte[] bytes = new byte[length];
        read(offset, bytes);
        return bytes;
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public long size() {
        return size.get();
    }

    @Override
    public long allocatedBytes() {
        return (long) pages.size() * PAGE;
    }

    @Override
    public void read(long offset, long address, int length) {
        check(offset, length);
        for (int done = 0; done < length; ) {
            int inPage = inPage(offset + done);
            int part = Math.min(PAGE - inPage, length - done);
            byte[] page = pages.get((offset + done) / PAGE);
            if (page == null) {
                NativeBuffer.zero(address + done, part);
            } else {
                NativeBuffer.put(address + done, page, inPage, part);
            }
            done += part;
        }
    }

    @Override
    public void read(long offset, byte[] into) {
        check(offset, into.length);
        for (int done = 0; done < into.length; ) {
            int inPage = inPage(offset + done);
            int part = Math.min(PAGE - inPage, into.length - done);
            byte[] page = pages.get((offset + done) / PAGE);
            if (page == null) {
                Arrays.fill(into, done, done + part, (byte) 0);
            } else {
                System.arraycopy(page, inPage, into, done, part);
            }
            done += part;
        }
    }

    @Override
    public void write(long offset, long address, int length) {
        check(offset, length);
        for (int done = 0; done < length; ) {
            int inPage = inPage(offset + done);
            int part = Math.min(PAGE - inPage, length - done);
            NativeBuffer.get(address + done, pageFor(offset + done), inPage, part);
            done += part;
        }
        grow(offset, length);
    }

    @Override
    public void write(long offset, byte[] from, int start, int length) {
        check(offset, length);
        for (int done = 0; done < length; ) {
            int inPage = inPage(offset + done);
            int part = Math.min(PAGE - inPage, length - done);
            System.arraycopy(from, start + done, pageFor(offset + done), inPage, part);
            done += part;
        }
        grow(offset, length);
    }

    @Override
    public void writeZeroes(long offset, long length) {
        punchHole(offset, length);
        grow(offset, length);
    }

    @Override
    public void punchHole(long offset, long length) {
        check(offset, length);
        long end = offset + length;
        for (Long number : pages.subMap(offset / PAGE, true, (end + PAGE - 1) / PAGE, false)
                .keySet()) {
            long start = number * PAGE;
            if (start >= offset && start + PAGE <= end) {
                pages.remove(number);
            } else {
                int from = (int) (Math.max(offset, start) - start);
                int to = (int) (Math.min(end, start + PAGE) - start);
                Arrays.fill(pageFor(start), from, to, (byte) 0);
            }
        }
    }

    @Override
    public void allocate(long offset, long length) {
        check(offset, length);
        grow(offset, length);
    }

    @Override
    public void truncate(long newSize) {
        check(newSize, 0);
        if (newSize < size.get()) {
            punchHole(newSize, size.get() + PAGE - newSize); // also the rest of the last page, which goes with it
        }
        size.set(newSize);
    }

    @Override
    public void sync() {
        check(0, 0);
    }

    @Override
    public long seekData(long offset) {
        check(offset, 0);
        Long number = pages.ceilingKey(offset / PAGE);
        long found = number == null ? Long.MAX_VALUE : Math.max(offset, number * PAGE);
        return found < size.get() ? found : -1;
    }

    @Override
    public long seekHole(long offset) {
        check(offset, 0);
        long number = offset / PAGE;
        while (pages.containsKey(number)) {
            number++;
        }
        return Math.max(offset, Math.min(number * PAGE, size.get()));
    }

    @Override
    public void close() {
        open = false;
    }

    private byte[] pageFor(long offset) {
        return pages.computeIfAbsent(offset / PAGE, number -> new byte[PAGE]);
    }

    private void grow(long offset, long length) {
        if (length > 0) {
            size.accumulateAndGet(offset + length, Math::max);
        }
    }

    private void check(long offset, long length) {
        if (!open) {
            throw new IllegalStateException(path + " is closed");
        }
        if (offset < 0 || length < 0 || offset + length < 0) {
            throw new IllegalArgumentException(path + ": " + length + " bytes at " + offset);
        }
    }

    private static int inPage(long offset) {
        return (int) (offset % PAGE);
    }
}
