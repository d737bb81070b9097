package io.qfuse.fuse.kernel;

/**
 * Numbers of the FUSE protocol, version 7, as {@code linux/fuse.h} has them; all fields are in the machine's byte order.
 *
 * <pre>
 * every request                      every reply
 *  0      4        8      16          0      4       8      16
 * | len  | opcode | unique |         | len  | -errno | unique | body …
 * | nodeid        | uid gid |
 * | pid  | pad    | body …
 *  32     36       40
 * </pre>
 */
final class Protocol {

    /** The protocol's major version. */
    static final int MAJOR = 7;

    /** The newest minor version whose structures are laid out as here. */
    static final int MINOR = 31;

    /**
     * From this minor version on (Linux 6.6) the kernel drops cached pages that a direct write goes past; before, a file
     * opened with FOPEN_DIRECT_IO leaves stale pages to its cached readers.
     */
    static final int MINOR_COHERENT_DIRECT_IO = 39;

    /** The most bytes that one read or write request carries. */
    static final int MAX_IO = 1 << 20;

    static final int PAGE = 4096;

    static final int IN_HEADER = 40;
    static final int IN_LENGTH = 0;
    static final int IN_OPCODE = 4;
    static final int IN_UNIQUE = 8;
    static final int IN_NODE = 16;
    static final int IN_USER = 24;

    static final int OUT_HEADER = 16;
    static final int OUT_LENGTH = 0;
    static final int OUT_ERROR = 4;
    static final int OUT_UNIQUE = 8;

    /*
     * READ, WRITE            FALLOCATE              LSEEK
     *  0    8       16        0    8       16        0    8       16
     * | fh | offset |        | fh | offset |        | fh | offset |
     * | size | ...           | length | mode |      | whence | pad |
     *  16     20              16       24            16       20
     *
     * A write's data follow its body of 40 bytes, over /dev/fuse. These and the following offsets are those in the body.
     */
    static final int IO_OFFSET = 8;
    static final int IO_SIZE = 16;
    static final int WRITE_BODY = 40;
    static final int FALLOCATE_LENGTH = 16;
    static final int FALLOCATE_MODE = 24;
    static final int LSEEK_WHENCE = 16;

    /*
     * SETATTR: valid u32 @0, fh u64 @8, size u64 @16, ..., mode u32 @68, unused u32, uid u32 @76, gid u32 @80
     */
    static final int SETATTR_VALID = 0;
    static final int SETATTR_SIZE = 16;
    static final int SETATTR_MODE = 68;
    static final int SETATTR_UID = 76;
    static final int SETATTR_GID = 80;
    static final int FATTR_MODE = 1;
    static final int FATTR_UID = 1 << 1;
    static final int FATTR_GID = 1 << 2;
    static final int FATTR_SIZE = 1 << 3;

    /*
     * IOCTL                                     its reply
     *  0    8       12        16                 0        4       8
     * | fh | flags | command | argument |       | result | flags | in_iovs | out_iovs | what is given out …
     * | in_size | out_size |                                      8         12         16
     *  24        28
     */
    static final int IOCTL_COMMAND = 12;
    static final int IOCTL_OUT_SIZE = 28;
    static final int IOCTL_REPLY = 16;

    static final int OPEN_FLAGS = 0;
    static final int ACCESS_MASK = 0;

    /*
     * INIT                              its reply
     *  0       4       8          12     0       4       8           12
     * | major | minor | readahead |     | major | minor | readahead |
     * | flags | flags2 | ...            | flags | background u16 | congestion u16 |
     *  12      16                        12      16               18
     *                                   | max_write | time_gran | max_pages u16 | align u16 | flags2 | ... 64
     *                                    20          24          28              30          32
     */
    static final int INIT_MAJOR = 0;
    static final int INIT_MINOR = 4;
    static final int INIT_READAHEAD = 8;
    static final int INIT_FLAGS = 12;
    static final int INIT_FLAGS2 = 16;
    static final int INIT_REPLY = 64;

    static final int ASYNC_READ = 1;
    static final int BIG_WRITES = 1 << 5;
    static final int ASYNC_DIO = 1 << 15;
    static final int PARALLEL_DIROPS = 1 << 18;
    static final int HANDLE_KILLPRIV = 1 << 19;
    static final int ABORT_ERROR = 1 << 21;
    static final int MAX_PAGES = 1 << 22;

    /** There are more flags, in flags2. */
    static final int INIT_EXT = 1 << 30;

    /** In flags2. */
    static final int OVER_IO_URING = 1 << 9;

    /*
     * attr, 88 bytes: ino @0, size @8, blocks @16, atime mtime ctime u64 @24 @32 @40, their nanoseconds u32 @48 @52 @56,
     * mode u32 @60, nlink @64, uid @68, gid @72, rdev @76, blksize @80, flags @84
     *
     * entry reply: nodeid @0, generation @8, entry_valid @16, attr_valid @24, nanoseconds u32 @32 @36, attr @40
     * attr reply:  attr_valid @0, nanoseconds u32 @8, pad, attr @16
     */
    static final int ATTR = 88;
    static final int ENTRY_ATTR = 40;
    static final int ATTR_REPLY_ATTR = 16;

    /* open reply: fh @0, flags u32 @8, pad */
    static final int OPEN_REPLY = 16;
    static final int FOPEN_DIRECT_IO = 1;
    static final int FOPEN_KEEP_CACHE = 1 << 1;
    static final int FOPEN_PARALLEL_DIRECT_WRITES = 1 << 6;

    /* statfs reply: blocks @0, bfree @8, bavail @16, files @24, ffree @32, bsize u32 @40, namelen @44, frsize @48, ... */
    static final int STATFS_REPLY = 80;

    /* directory entry: ino @0, off @8, namelen u32 @16, type u32 @20, name @24, padded to 8 */
    static final int DIRENT_NAME = 24;

    static final int WRITE_REPLY = 8;
    static final int LSEEK_REPLY = 8;

    static final int LOOKUP = 1;
    static final int FORGET = 2;
    static final int GETATTR = 3;
    static final int SETATTR = 4;
    static final int SYMLINK = 6;
    static final int MKNOD = 8;
    static final int MKDIR = 9;
    static final int UNLINK = 10;
    static final int RMDIR = 11;
    static final int RENAME = 12;
    static final int LINK = 13;
    static final int OPEN = 14;
    static final int READ = 15;
    static final int WRITE = 16;
    static final int STATFS = 17;
    static final int RELEASE = 18;
    static final int FSYNC = 20;
    static final int FLUSH = 25;
    static final int INIT = 26;
    static final int OPENDIR = 27;
    static final int READDIR = 28;
    static final int RELEASEDIR = 29;
    static final int FSYNCDIR = 30;
    static final int ACCESS = 34;
    static final int CREATE = 35;
    static final int INTERRUPT = 36;
    static final int DESTROY = 38;
    static final int IOCTL = 39;
    static final int BATCH_FORGET = 42;
    static final int FALLOCATE = 43;
    static final int RENAME2 = 45;
    static final int LSEEK = 46;

    private Protocol() {}

    /** The size of a directory entry with a name of that many bytes. */
    static int direntSize(int nameBytes) {
        return (DIRENT_NAME + nameBytes + 7) & ~7;
    }
}
