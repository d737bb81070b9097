package io.qfuse.qcow2.testing;

import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderCodec;
import io.qfuse.qcow2.format.HeaderExtension;
import io.qfuse.qcow2.format.RefcountWidth;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.HostFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * Persistent bitmaps of images, put in and read back for tests that run where there is no qemu. It shares no code with what
 * it judges but the header's.
 */
public final class ImageBitmaps {

    /** The flags that the format knows. */
    public static final int IN_USE = 1;

    /** Set where writes are to be recorded. */
    public static final int AUTO = 2;

    /** Set where extra data need not be known. */
    public static final int EXTRA_DATA_COMPATIBLE = 4;

    /**
     * One bitmap.
     *
     * @param name its name
     * @param flags as above
     * @param granularityBits log2 of the bytes for each bit
     * @param extra bytes that nobody knows
     * @param bits the dirty granules
     */
    public record Bitmap(String name, int flags, int granularityBits, String extra, BitSet bits) {

        /** An empty bitmap without extra data. */
        public static Bitmap of(String name, int flags, int granularityBits) {
            return new Bitmap(name, flags, granularityBits, "", new BitSet());
        }

        /** The same bitmap with other flags. */
        public Bitmap withFlags(int others) {
            return new Bitmap(name, others, granularityBits, extra, bits);
        }

        /** The same bitmap with other bits. */
        public Bitmap withBits(BitSet others) {
            return new Bitmap(name, flags, granularityBits, extra, others);
        }

        /** The same bitmap with extra data. */
        public Bitmap withExtra(String data) {
            return new Bitmap(name, flags, granularityBits, data, bits);
        }
    }

    private ImageBitmaps() {}

    /** Puts bitmaps at the end of a fresh image; all must fit into the first refcount block. */
    public static void put(MemoryHostFile file, List<Bitmap> bitmaps) throws IOException {
        Header header = HeaderReader.read(file);
        Geometry geometry = header.geometry();
        long first = geometry.clustersFor(file.size());
        long next = first;
        ByteArrayOutputStream directory = new ByteArrayOutputStream();
        for (Bitmap bitmap : bitmaps) {
            byte[] bits = bitmap.bits().toByteArray();
            long granules = (header.size() + (1L << bitmap.granularityBits()) - 1) >> bitmap.granularityBits();
            int entries = (int) geometry.clustersFor((granules + 7) / 8);
            long tableOffset = geometry.clusterOffset(next);
            ByteBuffer table = ByteBuffer.allocate((int) geometry.clusterOffset(geometry.clustersFor(8L * entries)));
            next += table.capacity() / geometry.clusterSize();
            for (int i = 0; i < entries; i++) {
                BitSet part =
                        BitSet.valueOf(bits).get(i * geometry.clusterSize() * 8, (i + 1) * geometry.clusterSize() * 8);
                if (!part.isEmpty()) {
                    table.putLong(8 * i, geometry.clusterOffset(next));
                    byte[] cluster = ByteBuffer.allocate(geometry.clusterSize())
                            .put(part.toByteArray())
                            .array();
                    file.write(geometry.clusterOffset(next++), cluster, 0, cluster.length);
                }
            }
            file.write(tableOffset, table.array(), 0, table.capacity());
            directory.writeBytes(entry(bitmap, tableOffset, entries));
        }
        long directoryOffset = geometry.clusterOffset(next);
        byte[] bytes = directory.toByteArray();
        next += geometry.clustersFor(bytes.length);
        file.write(directoryOffset, bytes, 0, bytes.length);
        file.truncate(geometry.clusterOffset(next));
        count(file, header, first, next);
        byte[] extension = ByteBuffer.allocate(24)
                .putInt(bitmaps.size())
                .putInt(0)
                .putLong(bytes.length)
                .putLong(directoryOffset)
                .array();
        List<HeaderExtension> extensions = new ArrayList<>(header.extensions());
        extensions.add(new HeaderExtension(HeaderExtension.BITMAPS, extension));
        byte[] encoded = HeaderCodec.encode(header.withExtensions(extensions), file.path());
        ByteBuffer.wrap(encoded).putLong(88, header.autoclear() | Features.BITMAPS);
        file.write(0, encoded, 0, encoded.length);
    }

    private static byte[] entry(Bitmap bitmap, long tableOffset, int entries) {
        byte[] name = bitmap.name().getBytes(StandardCharsets.UTF_8);
        byte[] extra = bitmap.extra().getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate((24 + extra.length + name.length + 7) & -8)
                .putLong(tableOffset)
                .putInt(entries)
                .putInt(bitmap.flags())
                .put((byte) 1)
                .put((byte) bitmap.granularityBits())
                .putShort((short) name.length)
                .putInt(extra.length)
                .put(extra)
                .put(name)
                .array();
    }

    private static void count(MemoryHostFile file, Header header, long first, long end) throws IOException {
        Geometry geometry = header.geometry();
        if (end > geometry.refcountsPerBlock()) {
            throw new IllegalArgumentException(end + " clusters are more than one refcount block counts");
        }
        byte[] table = new byte[8];
        file.read(header.refcountTableOffset(), table);
        byte[] block = new byte[geometry.clusterSize()];
        long blockOffset = ByteBuffer.wrap(table).getLong();
        file.read(blockOffset, block);
        for (long cluster = first; cluster < end; cluster++) {
            new RefcountWidth(header.refcountOrder()).set(block, (int) cluster, 1);
        }
        file.write(blockOffset, block, 0, block.length);
    }

    /** The host offset of the first entry of the directory. */
    public static long directory(HostFile file) throws IOException {
        return extension(HeaderReader.read(file)).getLong(16);
    }

    private static ByteBuffer extension(Header header) {
        return ByteBuffer.wrap(header.extension(HeaderExtension.BITMAPS).orElseThrow());
    }

    /** The bitmaps that an image holds; none where the autoclear bit says that they are outdated. */
    public static List<Bitmap> read(HostFile file) throws IOException {
        Header header = HeaderReader.read(file);
        List<Bitmap> bitmaps = new ArrayList<>();
        if ((header.autoclear() & Features.BITMAPS) == 0) {
            return bitmaps;
        }
        ByteBuffer extension = extension(header);
        ByteBuffer directory = bytes(file, extension.getLong(16), (int) extension.getLong(8));
        for (int i = 0; i < extension.getInt(0); i++) {
            ByteBuffer entry = directory.slice();
            byte[] extra = new byte[entry.getInt(20)];
            byte[] name = new byte[entry.getShort(18)];
            entry.position(24).get(extra).get(name);
            directory.position(directory.position() + ((24 + extra.length + name.length + 7) & -8));
            bitmaps.add(new Bitmap(
                    new String(name, StandardCharsets.UTF_8),
                    entry.getInt(12),
                    entry.get(17),
                    new String(extra, StandardCharsets.UTF_8),
                    bits(file, header, entry)));
        }
        return bitmaps;
    }

    private static BitSet bits(HostFile file, Header header, ByteBuffer entry) throws IOException {
        int clusterSize = header.geometry().clusterSize();
        int entries = entry.getInt(8);
        ByteBuffer table = bytes(file, entry.getLong(0), 8 * entries);
        BitSet bits = new BitSet();
        for (int i = 0; i < entries; i++) {
            long value = table.getLong(8 * i);
            int first = 8 * clusterSize * i;
            if (value == 1) {
                bits.set(first, first + 8 * clusterSize);
            } else if (value != 0) {
                BitSet.valueOf(bytes(file, value, clusterSize)).stream().forEach(bit -> bits.set(first + bit));
            }
        }
        long granules = (header.size() + (1L << entry.get(17)) - 1) >> entry.get(17);
        if (entries == header.geometry().clustersFor((granules + 7) / 8)) {
            boolean lastIsFlag = entries > 0 && table.getLong(8 * (entries - 1)) == 1;
            if (bits.length() > granules && !lastIsFlag) {
                throw new AssertionError("bits are set behind the end, up to " + bits.length() + " of " + granules);
            }
            bits.clear((int) granules, Math.max((int) granules, bits.length()));
        } else if ((entry.getInt(12) & IN_USE) == 0) {
            throw new AssertionError("a table of " + entries + " entries for " + granules + " granules");
        }
        return bits;
    }

    private static ByteBuffer bytes(HostFile file, long offset, int length) throws IOException {
        byte[] bytes = new byte[length];
        file.read(offset, bytes);
        return ByteBuffer.wrap(bytes);
    }
}
