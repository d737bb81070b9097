package io.qfuse.qcow2.testing;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A file in memory over a disk with a volatile cache, that knows what the disk holds for sure and what it may hold besides,
 * at this moment. After each change and each barrier somebody is told, who may look at all of it.
 *
 * <p>Of each sector of 512 bytes that was touched since the last barrier, the disk holds any one of the contents that the
 * sector has had since, whatever it holds of the others; its length is any that the file has had. So a write is whole, missing or
 * torn, and writes to different sectors come in any order. For one thread.
 */
public final class VolatileFile extends ForwardingFile {

    /** What is lost or kept as one. */
    public static final int SECTOR = 512;

    private final MemoryHostFile current;
    private final Map<Long, List<byte[]>> sectors = new TreeMap<>();
    private final List<Long> sizes = new ArrayList<>();
    private final Runnable moment;
    private MemoryHostFile durable;

    /**
     * Takes a file's content as durable.
     *
     * @param moment called after each change and each barrier
     */
    public VolatileFile(MemoryHostFile file, Runnable moment) {
        super(file);
        this.current = file;
        this.moment = moment;
        this.durable = file.copy();
        sizes.add(file.size());
    }

    /** What the disk holds for sure; not to be changed. */
    public MemoryHostFile durable() {
        return durable;
    }

    /** The contents that each sector may have, by its number: the durable one first, the present one among them. */
    public Map<Long, List<byte[]>> sectors() {
        return sectors;
    }

    /** The lengths that the file may have, the durable one first. */
    public List<Long> sizes() {
        return sizes;
    }

    private void changed(long offset, long length) {
        for (long sector = offset / SECTOR; sector * SECTOR < offset + length; sector++) {
            byte[] content = current.bytes(sector * SECTOR, SECTOR);
            List<byte[]> contents = sectors.get(sector);
            byte[] before = durable.bytes(sector * SECTOR, SECTOR);
            if (contents == null && !Arrays.equals(before, content)) {
                contents = new ArrayList<>(List.of(before));
                sectors.put(sector, contents);
            }
            if (contents != null && contents.stream().noneMatch(other -> Arrays.equals(other, content))) {
                contents.add(content);
            }
        }
        if (!sizes.contains(current.size())) {
            sizes.add(current.size());
        }
        moment.run();
    }

    @Override
    public void sync() {
        durable = current.copy();
        sectors.clear();
        sizes.clear();
        sizes.add(current.size());
        moment.run();
    }

    @Override
    public void write(long offset, long address, int length) throws IOException {
        super.write(offset, address, length);
        changed(offset, length);
    }

    @Override
    public void write(long offset, byte[] from, int start, int length) throws IOException {
        super.write(offset, from, start, length);
        changed(offset, length);
    }

    @Override
    public void writeZeroes(long offset, long length) throws IOException {
        super.writeZeroes(offset, length);
        changed(offset, length);
    }

    @Override
    public void punchHole(long offset, long length) throws IOException {
        long end = Math.min(offset + length, current.size());
        super.punchHole(offset, length);
        changed(offset, Math.max(0, end - offset));
    }

    @Override
    public void allocate(long offset, long length) throws IOException {
        super.allocate(offset, length);
        changed(offset, 0);
    }

    @Override
    public void truncate(long size) throws IOException {
        long cut = Math.max(0, current.size() - size);
        super.truncate(size);
        changed(size, cut);
    }

    /** Keeps it open, for whoever looks at what is left. */
    @Override
    public void close() {}
}
