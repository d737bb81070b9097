package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Protocol.*;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ErrnoException;
import io.qfuse.fuse.ImageFileSystem;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * One request after the other, parsed where it lies, done by the file system, its answer laid where it is sent from. Each
 * worker has its own.
 */
final class Operations {

    /** What {@link #serve} returns for a request that the kernel wants no reply to. */
    static final int NO_REPLY = -1;

    private static final int WANTED_FLAGS =
            ASYNC_READ | BIG_WRITES | PARALLEL_DIROPS | ASYNC_DIO | MAX_PAGES | ABORT_ERROR | HANDLE_KILLPRIV;

    private static final int O_DIRECT = System.getProperty("os.arch").equals("aarch64") ? 0200000 : 040000;

    private static final int DOT = 0;
    private static final int DOT_DOT = 1;
    private static final int FIRST_NAME = 2;

    private final ImageFileSystem files;
    private final Negotiated negotiated;
    private final Message message;
    private final ByteBuffer in;
    private final long dataAddress;
    private final long replyAddress;
    private final Replies replies;

    Operations(ImageFileSystem files, Negotiated negotiated, Message message) {
        this.files = files;
        this.negotiated = negotiated;
        this.message = message;
        this.in = message.body();
        this.dataAddress = message.dataAddress();
        this.replyAddress = message.replyAddress();
        this.replies = new Replies(message.reply());
    }

    /** Does the request and returns the length of the reply's body, or {@link #NO_REPLY}. */
    int serve(int opcode, long node) throws IOException {
        return switch (opcode) {
            case READ -> read(node);
            case WRITE -> write(node);
            case LOOKUP -> replies.entry(files.attributes(files.lookup(node, name())));
            case GETATTR -> replies.attributes(files.attributes(node));
            case SETATTR -> setattr(node);
            case OPEN -> open(node);
            case STATFS -> replies.statistics(files.statistics());
            case FSYNC, FSYNCDIR -> sync(node);
            case FALLOCATE -> fallocate(node);
            case LSEEK -> replies.position(files.seek(node, in.getLong(IO_OFFSET), in.getInt(LSEEK_WHENCE)));
            case ACCESS -> access(node);
            case OPENDIR -> openDirectory(node);
            case IOCTL -> ReportCall.answer(message.header().getInt(IN_USER), in, message.reply(), files);
            case READDIR -> readDirectory(node);
            case INIT -> init();
            // A close makes nothing durable, as on any file system; only fsync does.
            case FLUSH, RELEASE, RELEASEDIR, DESTROY -> 0;
            // Requests are short, so one that is interrupted is simply finished and answered.
            case FORGET, BATCH_FORGET, INTERRUPT -> NO_REPLY;
            case SYMLINK, MKNOD, MKDIR, UNLINK, RMDIR, RENAME, LINK, CREATE, RENAME2 ->
                throw new ErrnoException(Errno.EPERM, "the names are those of the images");
            default -> throw new ErrnoException(Errno.ENOSYS, "operation " + opcode);
        };
    }

    private int read(long node) throws IOException {
        return files.read(node, in.getLong(IO_OFFSET), replyAddress, size());
    }

    private int write(long node) throws IOException {
        return replies.written(files.write(node, in.getLong(IO_OFFSET), dataAddress, size()));
    }

    /** The size that a request names: inside the buffers, whatever it says. */
    private int size() throws IOException {
        int size = in.getInt(IO_SIZE);
        if (size < 0 || size > MAX_IO) {
            throw new ErrnoException(Errno.EINVAL, "a request of " + size + " bytes");
        }
        return size;
    }

    /** Times are taken as said and forgotten: a disk's are those of its last change. */
    private int setattr(long node) throws IOException {
        int valid = in.getInt(SETATTR_VALID);
        if ((valid & FATTR_SIZE) != 0) {
            files.resize(node, in.getLong(SETATTR_SIZE));
        }
        if ((valid & FATTR_MODE) != 0) {
            files.chmod(node, in.getInt(SETATTR_MODE));
        }
        if ((valid & (FATTR_UID | FATTR_GID)) != 0) {
            int uid = (valid & FATTR_UID) != 0 ? in.getInt(SETATTR_UID) : -1;
            int gid = (valid & FATTR_GID) != 0 ? in.getInt(SETATTR_GID) : -1;
            files.chown(node, uid, gid);
        }
        return replies.attributes(files.attributes(node));
    }

    /**
     * What was opened with O_DIRECT goes past the page cache and may write in parallel. Everything else is cached, and stays
     * so from one open to the next, because nobody but this mount writes the disk.
     */
    private int open(long node) throws IOException {
        int flags = in.getInt(OPEN_FLAGS);
        files.open(node, flags);
        boolean direct = (flags & O_DIRECT) != 0 && negotiated.directIoIsCoherent();
        return replies.open(
                direct ? FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES | FOPEN_KEEP_CACHE : FOPEN_KEEP_CACHE);
    }

    private int sync(long node) throws IOException {
        files.sync(node);
        return 0;
    }

    private int fallocate(long node) throws IOException {
        files.allocate(node, in.getInt(FALLOCATE_MODE), in.getLong(IO_OFFSET), in.getLong(FALLOCATE_LENGTH));
        return 0;
    }

    private int access(long node) throws IOException {
        files.access(node, in.getInt(ACCESS_MASK));
        return 0;
    }

    private int openDirectory(long node) throws IOException {
        files.names(node);
        return replies.open(0);
    }

    private int readDirectory(long node) throws IOException {
        List<String> names = files.names(node);
        int limit = size();
        int length = 0;
        for (long at = in.getLong(IO_OFFSET); at < FIRST_NAME + names.size(); at++) {
            String name = at == DOT ? "." : at == DOT_DOT ? ".." : names.get((int) at - FIRST_NAME);
            long entry = at == DOT ? node : at == DOT_DOT ? files.parent(node) : files.lookup(node, name);
            int longer = replies.directoryEntry(length, limit, entry, at + 1, name, files.isDirectory(entry));
            if (longer < 0) {
                break;
            }
            length = longer;
        }
        return length;
    }

    private int init() throws IOException {
        int major = in.getInt(INIT_MAJOR);
        if (major != MAJOR) {
            throw new ErrnoException(Errno.EINVAL, "the kernel speaks FUSE " + major + ", not " + MAJOR);
        }
        negotiated.kernelMinor(in.getInt(INIT_MINOR));
        int offered = in.getInt(INIT_FLAGS);
        int offered2 = (offered & INIT_EXT) != 0 ? in.getInt(INIT_FLAGS2) : 0;
        boolean overRings = negotiated.offerRings((offered2 & OVER_IO_URING) != 0);
        return overRings
                ? replies.init(in.getInt(INIT_READAHEAD), (offered & WANTED_FLAGS) | INIT_EXT, OVER_IO_URING)
                : replies.init(in.getInt(INIT_READAHEAD), offered & WANTED_FLAGS, 0);
    }

    /** The name behind the header, up to its zero byte. */
    private String name() {
        int length = message.header().getInt(IN_LENGTH) - IN_HEADER;
        byte[] bytes = new byte[Math.max(0, length)];
        message.name().get(0, bytes);
        int end = 0;
        while (end < bytes.length && bytes[end] != 0) {
            end++;
        }
        return new String(bytes, 0, end, StandardCharsets.UTF_8);
    }
}
