package io.qfuse.qcow2.io;

import io.qfuse.qcow2.io.Native.LibC;

/**
 * Which processors the calling thread may run on. A thread that it starts inherits that. Where the host does not permit a
 * change there is none: it is about speed.
 */
public final class ThreadAffinity {

    /** Bytes of a set of processors; one bit for each. */
    private static final int SET = 1024;

    private static final int CALLING_THREAD = 0;

    private ThreadAffinity() {}

    /** Keeps the calling thread on one processor. */
    public static void keepOn(int processor) {
        if (processor >= SET * Byte.SIZE) {
            return;
        }
        try (NativeBuffer set = NativeBuffer.allocate(SET)) {
            NativeBuffer.zero(set.address(), SET);
            long word = set.address() + (long) (processor / Long.SIZE) * Long.BYTES;
            NativeBuffer.putLong(word, 1L << (processor % Long.SIZE));
            Native.libc().sched_setaffinity(CALLING_THREAD, SET, set.address());
        }
    }

    /** Lets the calling thread run wherever the process's first thread may. */
    public static void release() {
        try (NativeBuffer set = NativeBuffer.allocate(SET)) {
            LibC libc = Native.libc();
            NativeBuffer.zero(set.address(), SET);
            if (libc.sched_getaffinity(libc.getpid(), SET, set.address()) == 0) {
                libc.sched_setaffinity(CALLING_THREAD, SET, set.address());
            }
        }
    }
}
