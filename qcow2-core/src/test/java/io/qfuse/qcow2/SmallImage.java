package io.qfuse.qcow2;

import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.HeaderField;
import io.qfuse.qcow2.format.RefcountWidth;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.CompressedImage;
import io.qfuse.qcow2.testing.ImageBitmaps;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.ImageTally;
import io.qfuse.qcow2.testing.ImageTally.Use;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.SharedClusters;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * An image in which a short history begins: guest clusters 0 to 5 hold data, 6 and 7 are zero clusters with host clusters set
 * aside where the version has them, the rest is not allocated. Each sector is filled with a word of its own.
 */
final class SmallImage {

    /** What is special about it. */
    enum Trait {
        /** Its data are compressed, several streams in one host cluster where clusters are large enough. */
        COMPRESSED,
        /** An internal snapshot was taken: everything is shared. */
        SNAPSHOT,
        /** A program that writes counts late was killed. */
        DIRTY,
        /** A bitmap records what is written. */
        BITMAP,
        /** The next but one cluster needs a new refcount block. */
        FULL_BLOCK,
        /** The next but one cluster needs a new refcount table. */
        FULL_TABLE
    }

    /** The word in each base sector, to which its number is added. */
    static final long BASE_WORD = 1L << 40;

    private static final int DATA = 6;
    private static final int RESERVED = 2;

    private final ImageKind kind;
    private final Set<Trait> traits;
    private final MemoryHostFile image;
    private final @Nullable MemoryHostFile data;
    private final MemoryHostFile base = new MemoryHostFile("base.raw");
    private final byte[] content;

    SmallImage(ImageKind kind, int clusters, Trait... traits) throws IOException {
        this.kind = kind;
        this.traits = EnumSet.noneOf(Trait.class);
        this.traits.addAll(List.of(traits));
        int size = clusters * kind.clusterSize();
        this.content = new byte[size];
        this.image = kind.create(size);
        this.data = kind.createData(size);
        if (kind.backed()) {
            for (int at = 512; at < size - 3 * 512; at += at % (5 * 512) == 4 * 512 ? 1024 : 512) { // with holes
                fill(content, at, 512, BASE_WORD + at / 512);
            }
            base.write(0, content, 0, size - 3 * 512);
        }
        write();
        prepare();
    }

    /** Fills a range with one word. */
    static void fill(byte[] bytes, int offset, int length, long word) {
        ByteBuffer.wrap(bytes, offset, length).asLongBuffer().put(new long[length / 8]);
        for (int at = offset; at < offset + length; at += 8) {
            ByteBuffer.wrap(bytes).putLong(at, word);
        }
    }

    private void write() throws IOException {
        int cluster = kind.clusterSize();
        try (Disk disk = TestDisk.open(new TestDisk.KeptOpen(image), kept(data), base, 1 << 20);
                NativeBuffer buffer = NativeBuffer.allocate(content.length)) {
            for (int at = 0; at < (DATA + RESERVED) * cluster; at += 512) {
                fill(content, at, 512, 1 + at / 512);
            }
            NativeBuffer.put(buffer.address(), content, 0, content.length);
            disk.write(0, buffer.address(), (DATA + RESERVED) * cluster);
            fill(content, DATA * cluster, RESERVED * cluster, 0);
            disk.writeZeroes((long) DATA * cluster, (long) RESERVED * cluster, false);
            int perBlock = new Geometry(kind.clusterBits(), kind.refcountOrder()).refcountsPerBlock();
            long full = !has(Trait.FULL_BLOCK) && !has(Trait.FULL_TABLE)
                    ? 0
                    : has(Trait.FULL_BLOCK) ? perBlock : (long) perBlock * cluster / 8;
            for (int at = 24 * cluster; image.size() < (full - 1) * cluster; at += cluster) {
                fill(content, at, cluster, 1 + at / 512);
                NativeBuffer.put(buffer.address(), content, at, cluster);
                disk.write(at, buffer.address(), cluster);
            }
        }
    }

    private void prepare() throws IOException {
        if (has(Trait.COMPRESSED)) {
            CompressedImage.compress(image, kind);
            SharedClusters.pack(image);
        }
        if (has(Trait.SNAPSHOT)) {
            SharedClusters.snapshot(image);
        }
        if (has(Trait.BITMAP)) {
            ImageBitmaps.put(image, List.of(ImageBitmaps.Bitmap.of("b", ImageBitmaps.AUTO, 9)));
        }
        if (has(Trait.DIRTY)) {
            ImageTally tally = new ImageTally(image);
            RefcountWidth width = new RefcountWidth(kind.refcountOrder());
            byte[] block = image.bytes(2L * kind.clusterSize(), kind.clusterSize());
            for (int i = 0; i < image.size() / kind.clusterSize(); i++) {
                width.set(block, i, tally.use((long) i * kind.clusterSize()) == Use.DATA ? 0 : width.get(block, i));
            }
            image.write(2L * kind.clusterSize(), block, 0, block.length);
            image.write(
                    HeaderField.INCOMPATIBLE,
                    ByteBuffer.allocate(8).putLong(Features.DIRTY).array(),
                    0,
                    8);
        }
    }

    static TestDisk.@Nullable KeptOpen kept(@Nullable MemoryHostFile file) {
        return file == null ? null : new TestDisk.KeptOpen(file);
    }

    ImageKind kind() {
        return kind;
    }

    boolean has(Trait trait) {
        return traits.contains(trait);
    }

    int clusterSize() {
        return kind.clusterSize();
    }

    MemoryHostFile image() {
        return image.copy();
    }

    @Nullable
    MemoryHostFile data() {
        return data == null ? null : data.copy();
    }

    MemoryHostFile base() {
        return base.copy();
    }

    /** What the guest sees. */
    byte[] content() {
        return content.clone();
    }

    @Override
    public String toString() {
        return kind + (traits.isEmpty() ? "" : " " + traits);
    }
}
