package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Native.LIBC;

import io.qfuse.fuse.Errno;

/**
 * A descriptor that comes through a Unix socket.
 *
 * <pre>
 * msghdr, 56 bytes                                   cmsghdr of one descriptor
 *  0     8         16    24      32        40         0     8       12      16
 * | name | namelen | iov | iovlen | control | length | | len | level | type | descriptor |
 * | flags |                                             20 long, 24 with padding
 *  48
 * iovec: base @0, length @8
 * </pre>
 */
final class DescriptorMessage {

    private static final int MSGHDR = 56;
    private static final int IOVEC = 16;
    private static final int CONTROL = 24;
    private static final int SOL_SOCKET = 1;
    private static final int SCM_RIGHTS = 1;
    private static final int MSG_CMSG_CLOEXEC = 0x40000000;

    private DescriptorMessage() {}

    /** The descriptor in the next message, closed on exec; -1 where none came. */
    static int receive(int socket) {
        try (var memory = new NativeBytes(MSGHDR + IOVEC + CONTROL + 8)) {
            int iovec = MSGHDR;
            int control = iovec + IOVEC;
            int payload = control + CONTROL;
            memory.putLong(16, memory.address() + iovec);
            memory.putLong(24, 1);
            memory.putLong(32, memory.address() + control);
            memory.putLong(40, CONTROL);
            memory.putLong(iovec, memory.address() + payload);
            memory.putLong(iovec + 8, 1);
            long got;
            do {
                got = LIBC.recvmsg(socket, memory.address(), MSG_CMSG_CLOEXEC);
            } while (got < 0 && Native.errno() == Errno.EINTR);
            boolean descriptor = got > 0
                    && memory.getLong(40) >= 20
                    && memory.getInt(control + 8) == SOL_SOCKET
                    && memory.getInt(control + 12) == SCM_RIGHTS;
            return descriptor ? memory.getInt(control + 16) : -1;
        }
    }
}
