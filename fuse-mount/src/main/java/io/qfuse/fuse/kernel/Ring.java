package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Native.LIBC;

import io.qfuse.fuse.Errno;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * One io_uring(7): a queue of commands to the kernel and a queue of their completions, both in memory that is shared with
 * it. One thread uses it, from {@link #enable} on; what completes, completes inside of {@link #enter}.
 *
 * <pre>
 * command, 128 bytes                                             completion, 16 bytes
 *  0        1       2        4      8         12    16             0           8        12
 * | opcode | flags | ioprio | file | operation | pad | address |  | user data | result | flags |
 * | length | flags | user data | ...             | command's own …
 *  24       28      32          40                48
 *
 * the command's own: flags @0, commit id u64 @8, queue u16 @16
 * </pre>
 */
final class Ring implements AutoCloseable {

    private static final VarHandle INT = MethodHandles.byteBufferViewVarHandle(int[].class, ByteOrder.nativeOrder());

    private static final int SYS_SETUP = 425;
    private static final int SYS_ENTER = 426;
    private static final int SYS_REGISTER = 427;

    /** The ring starts disabled, so that the thread that enables it is the one that it belongs to. */
    private static final int R_DISABLED = 1 << 6;

    private static final int SQE128 = 1 << 10;
    private static final int SINGLE_ISSUER = 1 << 12;
    private static final int DEFER_TASKRUN = 1 << 13;
    private static final int NO_SQARRAY = 1 << 16;

    private static final int ENTER_GETEVENTS = 1;
    private static final int REGISTER_ENABLE_RINGS = 12;
    private static final long OFFSET_RINGS = 0;
    private static final long OFFSET_COMMANDS = 0x10000000L;

    private static final int PARAMS = 120;
    private static final int PARAMS_COMPLETIONS = 4;
    private static final int PARAMS_FLAGS = 8;
    private static final int PARAMS_SQ = 40;
    private static final int PARAMS_CQ = 80;
    private static final int HEAD = 0;
    private static final int TAIL = 4;
    private static final int COMPLETIONS = 20;

    private static final byte URING_CMD = 46;
    private static final int COMMAND = 128;
    private static final int COMPLETION = 16;

    private final int descriptor;
    private final Mapping rings;
    private final Mapping commands;
    private final ByteBuffer shared;
    private final ByteBuffer slots;
    private final int commandHead;
    private final int commandTail;
    private final int commandMask;
    private final int completionHead;
    private final int completionTail;
    private final int completionMask;
    private final int completions;

    /** The next command's number; the kernel hears of it on {@link #enter}. */
    private int next;

    /** The next completion's number. */
    private int seen;

    private Ring(int entries) throws IOException {
        try (var params = new NativeBytes(PARAMS)) {
            params.putInt(PARAMS_FLAGS, R_DISABLED | SQE128 | SINGLE_ISSUER | DEFER_TASKRUN | NO_SQARRAY);
            descriptor = (int) WideCalls.syscall(SYS_SETUP, entries, params.address(), 0, 0, 0);
            if (descriptor < 0) {
                throw new IOException("io_uring_setup: " + LIBC.strerror(Native.errno()));
            }
            int commandCount = params.getInt(0);
            int completionCount = params.getInt(PARAMS_COMPLETIONS);
            commandHead = params.getInt(PARAMS_SQ + HEAD);
            commandTail = params.getInt(PARAMS_SQ + TAIL);
            completionHead = params.getInt(PARAMS_CQ + HEAD);
            completionTail = params.getInt(PARAMS_CQ + TAIL);
            completions = params.getInt(PARAMS_CQ + COMPLETIONS);
            commandMask = commandCount - 1;
            completionMask = completionCount - 1;
            int ringSize = completions + completionCount * COMPLETION;
            try {
                rings = Mapping.shared(descriptor, OFFSET_RINGS, ringSize);
                try {
                    commands = Mapping.shared(descriptor, OFFSET_COMMANDS, (long) commandCount * COMMAND);
                } catch (IOException e) {
                    rings.close();
                    throw e;
                }
            } catch (IOException e) {
                LIBC.close(descriptor);
                throw e;
            }
            shared = rings.bytes(0, ringSize);
            slots = commands.bytes(0, commandCount * COMMAND);
        }
    }

    /**
     * A ring for as many commands under way.
     *
     * @param entries a power of two
     * @throws IOException where the kernel is too old, does not permit it, or has no memory
     */
    static Ring create(int entries) throws IOException {
        return new Ring(entries);
    }

    /** Makes the ring the calling thread's. */
    void enable() throws IOException {
        if (WideCalls.syscall(SYS_REGISTER, descriptor, REGISTER_ENABLE_RINGS, 0, 0, 0) < 0) {
            throw new IOException("io_uring_register: " + LIBC.strerror(Native.errno()));
        }
    }

    /** Lays a command down, to be taken by the next {@link #enter}; no more than the ring's entries before it. */
    void command(int file, int operation, int userData, int queue, long commitId, long vectors, int vectorCount) {
        int at = (next & commandMask) * COMMAND;
        slots.put(at, URING_CMD);
        slots.putInt(at + 4, file);
        slots.putInt(at + 8, operation);
        slots.putLong(at + 16, vectors);
        slots.putInt(at + 24, vectorCount);
        slots.putLong(at + 32, userData);
        slots.putLong(at + 56, commitId);
        slots.putShort(at + 64, (short) queue);
        next++;
        INT.setRelease(shared, commandTail, next);
    }

    /**
     * Gives the kernel all commands and waits for that many completions.
     *
     * @return 0 or a positive error number
     */
    int enter(int atLeast) {
        int errno;
        do {
            int waiting = next - (int) INT.getAcquire(shared, commandHead);
            long taken = WideCalls.syscall(SYS_ENTER, descriptor, waiting, atLeast, ENTER_GETEVENTS, 0);
            errno = taken < 0 ? Native.errno() : 0;
        } while (errno == Errno.EINTR || errno == Errno.EAGAIN || errno == Errno.EBUSY);
        return errno;
    }

    /** Whether there is a completion to be looked at. */
    boolean hasCompletion() {
        return seen != (int) INT.getAcquire(shared, completionTail);
    }

    /** The user data of the command that it completes. */
    int completed() {
        return shared.getInt(completion());
    }

    /** What came of that command: a negative error number where it failed. */
    int result() {
        return shared.getInt(completion() + 8);
    }

    private int completion() {
        return completions + (seen & completionMask) * COMPLETION;
    }

    /** Gives the completion's room back. */
    void next() {
        seen++;
        INT.setRelease(shared, completionHead, seen);
    }

    /** Ends the ring, which nobody may use any more. */
    @Override
    public void close() {
        commands.close();
        rings.close();
        LIBC.close(descriptor);
    }
}
