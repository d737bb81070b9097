package io.qfuse.cli;

import java.io.IOException;
import jnr.ffi.LibraryLoader;
import jnr.ffi.Memory;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;

/** What the JDK does not offer of the calls that a background process needs. */
final class Posix {

    private static final int O_WRONLY = 1;
    private static final int O_RDWR = 2;
    private static final int O_CREAT = 0x40;
    private static final int O_APPEND = 0x400;
    private static final int O_CLOEXEC = 0x80000;
    private static final int ENOSPC = 28;
    private static final int EDQUOT = 122;
    private static final int MFD_CLOEXEC = 1;
    private static final long PIDFD_OPEN = 434; // the same number on every machine
    private static final short POLLIN = 1;

    private static final LibC LIBC = LibraryLoader.create(LibC.class).load("c");
    private static final Runtime RUNTIME = Runtime.getRuntime(LIBC);

    private Posix() {}

    /** The C library. */
    public interface LibC { // public inside a package-private class: the generated implementation lives elsewhere

        int setsid();

        int chdir(CharSequence path);

        int open(CharSequence path, int flags, int mode);

        int close(int fd);

        int fsync(int fd);

        int dup2(int from, int to);

        int memfd_create(CharSequence name, int flags);

        long syscall(long number, long first, long second);

        int poll(Pointer descriptors, long count, int timeoutMillis);

        String strerror(int errno);
    }

    /** Leaves the terminal and the working directory that the process was started with. */
    static void detach() throws IOException {
        checked("setsid", LIBC.setsid());
        leaveDirectory();
    }

    /** Lets go of the directory that the process was started in. */
    static void leaveDirectory() throws IOException {
        checked("chdir /", LIBC.chdir("/"));
    }

    /** Opens a file for appending; it is made, for this user alone, where it does not exist. */
    static int openLog(String path) throws IOException {
        return checked(path, LIBC.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    }

    /**
     * Has everything behind a path made durable.
     *
     * @return whether there was no room for it; other failures are not told
     */
    static boolean lacksRoomToSync(String path) {
        int fd = LIBC.open(path, O_CLOEXEC, 0);
        if (fd < 0) {
            return false;
        }
        int failure = LIBC.fsync(fd) < 0 ? RUNTIME.getLastError() : 0;
        LIBC.close(fd);
        return failure == ENOSPC || failure == EDQUOT;
    }

    /** Sends stdout and stderr to an open file, which is closed, and takes stdin from /dev/null. */
    static void redirectOutputTo(int log) throws IOException {
        int empty = checked("/dev/null", LIBC.open("/dev/null", O_RDWR | O_CLOEXEC, 0));
        checked("dup2", LIBC.dup2(empty, 0));
        checked("dup2", LIBC.dup2(log, 1));
        checked("dup2", LIBC.dup2(log, 2));
        LIBC.close(empty);
        LIBC.close(log);
    }

    /** A file in memory that shows under its name among the descriptors of the process, and goes away with it. */
    static int memoryFile(String name) throws IOException {
        return checked("memfd_create " + name, LIBC.memfd_create(name, MFD_CLOEXEC));
    }

    /** A descriptor of another process, which stays that of this very process when its number is taken again. */
    static int processDescriptor(long pid) throws IOException {
        return checked("pidfd_open " + pid, (int) LIBC.syscall(PIDFD_OPEN, pid, 0));
    }

    /** Returns when the process behind the descriptor has ended, and closes the descriptor. */
    static void awaitEndAndClose(int processDescriptor) {
        Pointer poll = Memory.allocateDirect(RUNTIME, 8);
        poll.putInt(0, processDescriptor);
        poll.putShort(4, POLLIN);
        while (LIBC.poll(poll, 1, -1) < 1) {
            // A signal came in between.
        }
        LIBC.close(processDescriptor);
    }

    static void close(int descriptor) {
        LIBC.close(descriptor);
    }

    private static int checked(String what, int result) throws IOException {
        if (result < 0) {
            throw new Failure(what, LIBC.strerror(RUNTIME.getLastError()));
        }
        return result;
    }
}
