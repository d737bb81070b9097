package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Native.LIBC;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** Two connected descriptors: one stays here, the other is for a child. Both close on exec. */
final class Pair implements AutoCloseable {

    private static final int AF_UNIX = 1;
    private static final int SOCK_STREAM = 1;

    private final int mine;
    private int other;

    /** A call that stores two descriptors at an address and returns -1 where it fails. */
    @FunctionalInterface
    interface Maker {
        int make(long twoInts);
    }

    Pair(Maker maker) throws IOException {
        try (var ints = new NativeBytes(8)) {
            if (maker.make(ints.address()) < 0) {
                throw new IOException("no descriptors: " + LIBC.strerror(Native.errno()));
            }
            mine = ints.getInt(0);
            other = ints.getInt(4);
        }
    }

    static int socket(long twoInts) {
        // SOCK_CLOEXEC is the same bit as O_CLOEXEC.
        return LIBC.socketpair(AF_UNIX, SOCK_STREAM | Native.O_CLOEXEC, 0, twoInts);
    }

    static int pipe(long twoInts) {
        return LIBC.pipe2(twoInts, Native.O_CLOEXEC);
    }

    int mine() {
        return mine;
    }

    int other() {
        return other;
    }

    /** Closes the child's end here, so that its end is seen. */
    void closeOther() {
        if (other >= 0) {
            LIBC.close(other);
            other = -1;
        }
    }

    /** All that comes until the child closes its end. */
    String readAll() {
        var text = new ByteArrayOutputStream();
        try (var buffer = new NativeBytes(1024)) {
            for (long got; (got = LIBC.read(mine, buffer.address(), 1024)) > 0; ) {
                for (int i = 0; i < got; i++) {
                    text.write(buffer.getByte(i));
                }
            }
        }
        return text.toString(StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        closeOther();
        LIBC.close(mine);
    }
}
