package io.qfuse.cli;

import io.qfuse.qcow2.scan.RunVisitor;
import java.io.IOException;
import java.io.OutputStream;

/** The runs as a JSON list, with the names, the order and the line ends of {@code qemu-img map --output=json}. */
final class MapJson implements RunVisitor {

    private static final byte[] FIRST = AsciiBuffer.bytes("[{ \"start\": ");
    private static final byte[] NEXT = AsciiBuffer.bytes(",\n{ \"start\": ");
    private static final byte[] LENGTH = AsciiBuffer.bytes(", \"length\": ");
    private static final byte[] DEPTH = AsciiBuffer.bytes(", \"depth\": ");
    private static final byte[] OFFSET = AsciiBuffer.bytes(", \"offset\": ");
    private static final byte[][] FLAGS = new byte[16][];

    static {
        for (int flags = 0; flags < FLAGS.length; flags++) {
            FLAGS[flags] = AsciiBuffer.bytes(", \"present\": " + is(flags, PRESENT) + ", \"zero\": " + is(flags, ZERO)
                    + ", \"data\": " + is(flags, DATA) + ", \"compressed\": " + is(flags, COMPRESSED));
        }
    }

    private final AsciiBuffer out;
    private boolean any;

    MapJson(OutputStream out) {
        this.out = new AsciiBuffer(out);
    }

    private static boolean is(int flags, int flag) {
        return (flags & flag) != 0;
    }

    @Override
    public void run(long start, long length, int depth, int flags, long host) throws IOException {
        out.put(any ? NEXT : FIRST);
        any = true;
        out.decimal(start);
        out.put(LENGTH);
        out.decimal(length);
        out.put(DEPTH);
        out.decimal(depth);
        out.put(FLAGS[flags]);
        if (host != NOWHERE) {
            out.put(OFFSET);
            out.decimal(host);
        }
        out.put('}');
    }

    void finish() throws IOException {
        out.put(AsciiBuffer.bytes(any ? "]\n" : "[]\n"));
        out.flush();
    }
}
