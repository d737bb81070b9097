package io.qfuse.cli;

import io.qfuse.qcow2.DiskMap;
import io.qfuse.qcow2.Sizes;
import io.qfuse.qcow2.io.OneLine;
import io.qfuse.qcow2.scan.RunVisitor;
import java.io.IOException;
import java.io.OutputStream;

/**
 * The runs that are stored as a table with the columns of {@code qemu-img map}, and sums behind it. What is compressed or
 * encrypted is in the table, too: it says so where others have their place.
 */
final class MapTable implements RunVisitor {

    private static final int COLUMN = 16;
    private static final byte[] COMPRESSED_COLUMN = AsciiBuffer.bytes("compressed      ");
    private static final byte[] ENCRYPTED_COLUMN = AsciiBuffer.bytes("encrypted       ");

    private final DiskMap map;
    private final AsciiBuffer out;
    private final byte[][] files;
    private final long[] stored; // by layer
    private final long[] compressed;
    private long runs;
    private long zeroes;
    private long nothing;

    MapTable(DiskMap map, OutputStream out) throws IOException {
        this.map = map;
        this.out = new AsciiBuffer(out);
        this.files = new byte[map.layers()][];
        for (int i = 0; i < files.length; i++) {
            files[i] = AsciiBuffer.bytes(OneLine.of(map.file(i).toString()) + "\n");
        }
        this.stored = new long[files.length];
        this.compressed = new long[files.length];
        this.out.put(AsciiBuffer.bytes("Offset          Length          Mapped to       File\n"));
    }

    @Override
    public void run(long start, long length, int depth, int flags, long host) throws IOException {
        if ((flags & DATA) == 0) {
            if ((flags & PRESENT) == 0) {
                nothing += length;
            } else {
                zeroes += length;
            }
            return;
        }
        out.hex(start, COLUMN);
        out.hex(length, COLUMN);
        if (host != NOWHERE) {
            out.hex(host, COLUMN);
        } else {
            out.put((flags & COMPRESSED) != 0 ? COMPRESSED_COLUMN : ENCRYPTED_COLUMN);
        }
        out.put(files[depth]);
        stored[depth] += length;
        compressed[depth] += (flags & COMPRESSED) == 0 ? 0 : length;
        runs++;
    }

    void finish() throws IOException {
        line("");
        for (int i = 0; i < stored.length; i++) {
            String part = compressed[i] == 0 ? "" : ", of it " + Sizes.format(compressed[i]) + " compressed";
            line(Sizes.format(stored[i]) + " stored" + part + " in layer " + i + ", " + map.file(i));
        }
        line(Sizes.format(zeroes) + " known to be zeroes, " + Sizes.format(nothing) + " never written; " + runs
                + " stored extents");
        out.flush();
    }

    private void line(String line) throws IOException {
        out.put(AsciiBuffer.bytes(OneLine.of(line) + "\n"));
    }
}
