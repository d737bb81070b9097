package io.qfuse.cli;

import io.qfuse.qcow2.Disk;
import io.qfuse.qcow2.Images;
import io.qfuse.qcow2.OpenOptions;
import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Sizes;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.io.NativeHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The partitions of a disk as its MBR or GPT tells them, with sectors of 512 bytes. What makes no sense is left out: this is for
 * pictures.
 *
 * @param list by place in the table
 */
record Partitions(List<Partition> list) {

    /**
     * A partition.
     *
     * @param number as Linux counts them
     * @param name what the table says that it is
     * @param start its first byte
     * @param end the byte behind it
     */
    record Partition(int number, String name, long start, long end) {
        @Override
        public String toString() {
            return "partition " + number + ": " + name + ", " + Sizes.format(end - start) + " at "
                    + Sizes.format(start);
        }
    }

    /** Reads a part of the disk. */
    @FunctionalInterface
    private interface Source {
        ByteBuffer read(long offset, int length) throws IOException;
    }

    private static final int SECTOR = 512;
    private static final int MBR_ENTRIES = 446;
    private static final int MBR_ENTRY = 16;
    private static final int MBR_END = 510;
    private static final int MBR_SIGNATURE = 0xaa55;
    private static final int PROTECTIVE = 0xee;
    private static final long GPT_SIGNATURE = 0x5452_4150_2049_4645L; // "EFI PART"
    private static final int GPT_ENTRY = 128;
    private static final int MOST = 128;
    private static final int NAME = 56;

    /** Those of an image; none where it is encrypted. */
    static Partitions of(Path image, boolean qcow2) throws IOException {
        if (!qcow2) {
            try (NativeHostFile file = NativeHostFile.open(image, false)) {
                return read(file.size(), (offset, length) -> {
                    byte[] bytes = new byte[length];
                    file.read(offset, bytes);
                    return ByteBuffer.wrap(bytes);
                });
            }
        }
        try (Disk disk = Images.open(
                        image, OpenOptions.readOnly().withForceShare(true).withAllowExternal(true));
                NativeBuffer buffer = NativeBuffer.allocate(MOST * GPT_ENTRY)) {
            return read(disk.size(), (offset, length) -> {
                disk.read(offset, buffer.address(), length);
                byte[] bytes = new byte[length];
                NativeBuffer.get(buffer.address(), bytes, 0, length);
                return ByteBuffer.wrap(bytes);
            });
        } catch (Qcow2Exception e) {
            if (e.kind() == Qcow2Exception.Kind.NO_KEY) {
                return new Partitions(List.of());
            }
            throw e;
        }
    }

    private static Partitions read(long size, Source disk) throws IOException {
        List<Partition> found = new ArrayList<>();
        if (size >= 2 * SECTOR) {
            ByteBuffer mbr = disk.read(0, SECTOR).order(ByteOrder.LITTLE_ENDIAN);
            if ((mbr.getShort(MBR_END) & 0xffff) == MBR_SIGNATURE) {
                for (int i = 0; i < 4; i++) {
                    int at = MBR_ENTRIES + i * MBR_ENTRY;
                    int type = mbr.get(at + 4) & 0xff;
                    if (type == PROTECTIVE) {
                        return new Partitions(gpt(size, disk));
                    }
                    long start = Integer.toUnsignedLong(mbr.getInt(at + 8)) * SECTOR;
                    long length = Integer.toUnsignedLong(mbr.getInt(at + 12)) * SECTOR;
                    if (type != 0) {
                        add(found, size, new Partition(i + 1, String.format("type %02x", type), start, start + length));
                    }
                }
            }
        }
        return new Partitions(found);
    }

    private static List<Partition> gpt(long size, Source disk) throws IOException {
        List<Partition> found = new ArrayList<>();
        ByteBuffer header = disk.read(SECTOR, SECTOR).order(ByteOrder.LITTLE_ENDIAN);
        long table = header.getLong(72);
        boolean usual = header.getLong(0) == GPT_SIGNATURE && header.getInt(84) == GPT_ENTRY;
        if (!usual || table < 2 || table > (size - MOST * GPT_ENTRY) / SECTOR) {
            return found;
        }
        int count = Math.max(0, Math.min(MOST, header.getInt(80)));
        ByteBuffer entries = disk.read(table * SECTOR, MOST * GPT_ENTRY).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < count; i++) {
            int at = i * GPT_ENTRY;
            if ((entries.getLong(at) | entries.getLong(at + 8)) != 0) {
                byte[] name = new byte[GPT_ENTRY - NAME];
                entries.get(at + NAME, name);
                String text = new String(name, StandardCharsets.UTF_16LE)
                        .replace("\0", "")
                        .strip();
                long start = entries.getLong(at + 32) * SECTOR;
                long end = (entries.getLong(at + 40) + 1) * SECTOR;
                add(found, size, new Partition(i + 1, text.isEmpty() ? "without a name" : text, start, end));
            }
        }
        return found;
    }

    private static void add(List<Partition> found, long size, Partition partition) {
        if (partition.start > 0 && partition.start < partition.end && partition.end <= size) {
            found.add(partition);
        }
    }
}
