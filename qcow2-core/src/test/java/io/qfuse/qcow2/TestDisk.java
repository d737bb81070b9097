package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.format.HeaderCodec;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.layer.RawLayer;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** A disk under test beside a plain array that says what it must read as. */
final class TestDisk implements AutoCloseable {

    /** So that eviction and pressure happen. */
    static final long SMALL_CACHE = 256 << 10;

    /** What opens encrypted images of tests. */
    static final String PASSPHRASE = "secret";

    private final MemoryHostFile base;
    private final HostFile file;
    private final NativeBuffer buffer = NativeBuffer.allocate(4 << 20);
    private final @Nullable MemoryHostFile data;
    private final boolean raw;
    private byte[] model;
    private Disk disk;

    /** Opens a fresh image of a kind over whatever {@code file} wraps. */
    TestDisk(ImageKind kind, HostFile file, int size) throws IOException {
        this.file = new KeptOpen(file);
        this.base = new MemoryHostFile("base.raw");
        this.data = kind.createData(size);
        this.raw = kind.data() == ImageKind.Data.EXTERNAL_RAW;
        this.model = new byte[size];
        if (kind.backed()) {
            byte[] bytes = baseBytes(size - 3 * 512);
            base.write(0, bytes, 0, bytes.length);
            System.arraycopy(bytes, 0, model, 0, bytes.length);
        }
        this.disk = open();
    }

    /** Opens an image that reads as {@code content}. */
    TestDisk(HostFile file, MemoryHostFile base, byte[] content) throws IOException {
        this.file = new KeptOpen(file);
        this.base = base;
        this.data = null;
        this.raw = false;
        this.model = content.clone();
        this.disk = open();
    }

    /** What the base of every test holds: data with a hole in the middle. */
    static byte[] baseBytes(int size) {
        byte[] bytes = new byte[size];
        new Random(1).nextBytes(bytes);
        Arrays.fill(bytes, size / 3, size / 2, (byte) 0);
        return bytes;
    }

    private Disk open() throws IOException {
        return open(file, data == null ? null : new KeptOpen(data), base, SMALL_CACHE);
    }

    /** Opens an image with small caches, so that eviction and pressure happen. */
    static Disk open(HostFile file, MemoryHostFile base) throws IOException {
        return open(file, base, SMALL_CACHE);
    }

    static Disk open(HostFile file, MemoryHostFile base, long cacheBytes) throws IOException {
        return open(file, null, base, cacheBytes);
    }

    static Disk open(HostFile file, @Nullable HostFile data, HostFile base, long cacheBytes) throws IOException {
        return open(file, data, base, OpenOptions.readWrite().withCacheBytes(cacheBytes));
    }

    static Disk open(HostFile file, @Nullable HostFile data, HostFile base, OpenOptions how) throws IOException {
        Passphrase secret = Passphrase.of(PASSPHRASE.getBytes(StandardCharsets.US_ASCII));
        OpenOptions options = how.withPassphrase(secret);
        byte[] start = new byte[(int) Math.min(file.size(), 2 << 20)];
        file.read(0, start);
        var header = HeaderCodec.decode(start, file.path(), file.size());
        Layer below = header.backingFile() == null ? null : new RawLayer(new KeptOpen(base));
        return new Qcow2Image(new ImageFiles(file, data), header, below, options, Qcow2Image.ChainCaches.of(options));
    }

    Disk disk() {
        return disk;
    }

    MemoryHostFile base() {
        return base;
    }

    int size() {
        return model.length;
    }

    /** What the disk must read as. */
    byte[] model() {
        return model.clone();
    }

    void write(int offset, byte[] bytes) throws IOException {
        NativeBuffer.put(buffer.address(), bytes, 0, bytes.length);
        disk.write(offset, buffer.address(), bytes.length);
        System.arraycopy(bytes, 0, model, offset, bytes.length);
    }

    void zero(int offset, int length, boolean unmap) throws IOException {
        disk.writeZeroes(offset, length, unmap);
        Arrays.fill(model, offset, offset + length, (byte) 0);
    }

    void resize(int size) throws IOException {
        disk.resize(size);
        model = Arrays.copyOf(model, size);
    }

    void check(int offset, int length) throws IOException {
        assertThat(read(disk, offset, length, buffer)).isEqualTo(Arrays.copyOfRange(model, offset, offset + length));
    }

    static byte[] read(Disk disk, long offset, int length, NativeBuffer buffer) throws IOException {
        disk.read(offset, buffer.address(), length);
        byte[] bytes = new byte[length];
        NativeBuffer.get(buffer.address(), bytes, 0, length);
        return bytes;
    }

    /** Checks every byte, and that nothing but zeroes is where extents say hole. */
    void checkAll() throws IOException {
        assertThat(disk.size()).isEqualTo(model.length);
        check(0, model.length);
        for (long at = 0; at < model.length; ) {
            Extent extent = disk.nextExtent(at);
            assertThat(extent.offset()).isEqualTo(at);
            assertThat(extent.length()).isPositive();
            assertThat(extent.end()).isLessThanOrEqualTo(model.length);
            if (extent.isHole()) {
                for (long i = at; i < extent.end(); i++) {
                    assertThat(model[(int) i]).as("byte %d in %s", i, extent).isZero();
                }
            }
            at = extent.end();
        }
    }

    /** Closes, checks that the image is clean, opens again and checks every byte. */
    void reopen() throws IOException {
        disk.close();
        CheckedImage.requireClean(file);
        if (data != null && raw) {
            assertThat(data.bytes(0, model.length)).as("the raw data file").isEqualTo(model);
            assertThat(data.size()).isGreaterThanOrEqualTo(model.length);
        }
        disk = open();
        checkAll();
    }

    @Override
    public void close() throws IOException {
        disk.close();
        buffer.close();
    }

    /** Outlives the disks that are opened over it. */
    static final class KeptOpen extends ForwardingFile {

        KeptOpen(HostFile file) {
            super(file);
        }

        @Override
        public void close() {}
    }
}
