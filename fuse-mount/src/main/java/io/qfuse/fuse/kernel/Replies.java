package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Protocol.ATTR;
import static io.qfuse.fuse.kernel.Protocol.ATTR_REPLY_ATTR;
import static io.qfuse.fuse.kernel.Protocol.DIRENT_NAME;
import static io.qfuse.fuse.kernel.Protocol.ENTRY_ATTR;
import static io.qfuse.fuse.kernel.Protocol.INIT_REPLY;
import static io.qfuse.fuse.kernel.Protocol.LSEEK_REPLY;
import static io.qfuse.fuse.kernel.Protocol.MAX_IO;
import static io.qfuse.fuse.kernel.Protocol.OPEN_REPLY;
import static io.qfuse.fuse.kernel.Protocol.PAGE;
import static io.qfuse.fuse.kernel.Protocol.STATFS_REPLY;
import static io.qfuse.fuse.kernel.Protocol.WRITE_REPLY;

import io.qfuse.fuse.NodeAttributes;
import io.qfuse.fuse.Statistics;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** The bodies of replies; each method returns the body's length. */
final class Replies {

    /** How long the kernel may keep a name: for good, names never change. */
    private static final long NAME_SECONDS = 1L << 30;

    /** Attributes are asked for each time: what a disk takes on its host changes behind the kernel's back. */
    private static final long ATTRIBUTE_SECONDS = 0;

    private static final int MAX_BACKGROUND = 64;
    private static final int CONGESTION = 48;
    private static final int DIRENT_DIRECTORY = 4;
    private static final int DIRENT_FILE = 8;
    private static final int NAME_MAX = 255;

    private final ByteBuffer out;

    Replies(ByteBuffer out) {
        this.out = out;
    }

    int init(int kernelReadAhead, int flags, int flags2) {
        clear(INIT_REPLY);
        out.putInt(0, Protocol.MAJOR);
        out.putInt(4, Protocol.MINOR);
        out.putInt(8, kernelReadAhead);
        out.putInt(12, flags);
        out.putShort(16, (short) MAX_BACKGROUND);
        out.putShort(18, (short) CONGESTION);
        out.putInt(20, MAX_IO);
        out.putInt(24, 1);
        out.putShort(28, (short) (MAX_IO / PAGE));
        out.putInt(32, flags2);
        return INIT_REPLY;
    }

    int entry(NodeAttributes attributes) {
        clear(ENTRY_ATTR + ATTR);
        out.putLong(0, attributes.node());
        out.putLong(16, NAME_SECONDS);
        out.putLong(24, ATTRIBUTE_SECONDS);
        attributes(ENTRY_ATTR, attributes);
        return ENTRY_ATTR + ATTR;
    }

    int attributes(NodeAttributes attributes) {
        clear(ATTR_REPLY_ATTR + ATTR);
        out.putLong(0, ATTRIBUTE_SECONDS);
        attributes(ATTR_REPLY_ATTR, attributes);
        return ATTR_REPLY_ATTR + ATTR;
    }

    int open(int flags) {
        clear(OPEN_REPLY);
        out.putInt(8, flags);
        return OPEN_REPLY;
    }

    int written(int bytes) {
        clear(WRITE_REPLY);
        out.putInt(0, bytes);
        return WRITE_REPLY;
    }

    int position(long offset) {
        out.putLong(0, offset);
        return LSEEK_REPLY;
    }

    int statistics(Statistics statistics) {
        clear(STATFS_REPLY);
        out.putLong(0, statistics.capacity() / Statistics.BLOCK);
        out.putLong(8, statistics.free() / Statistics.BLOCK);
        out.putLong(16, statistics.free() / Statistics.BLOCK);
        out.putLong(24, statistics.files());
        out.putInt(40, Statistics.BLOCK);
        out.putInt(44, NAME_MAX);
        out.putInt(48, Statistics.BLOCK);
        return STATFS_REPLY;
    }

    /**
     * Appends a directory entry at {@code at} of the body, unless it would pass {@code limit}.
     *
     * @param next the position that the listing goes on from behind this entry
     * @return the body's new length, or -1 where the entry has no room
     */
    int directoryEntry(int at, int limit, long node, long next, String name, boolean directory) {
        byte[] text = name.getBytes(StandardCharsets.UTF_8);
        int size = Protocol.direntSize(text.length);
        if (at + size > limit) {
            return -1;
        }
        out.putLong(at, node);
        out.putLong(at + 8, next);
        out.putInt(at + 16, text.length);
        out.putInt(at + 20, directory ? DIRENT_DIRECTORY : DIRENT_FILE);
        out.put(at + DIRENT_NAME, text);
        for (int i = DIRENT_NAME + text.length; i < size; i++) {
            out.put(at + i, (byte) 0);
        }
        return at + size;
    }

    private void attributes(int at, NodeAttributes attributes) {
        long seconds = Math.floorDiv(attributes.modifiedMillis(), 1000L);
        int nanos = (int) Math.floorMod(attributes.modifiedMillis(), 1000L) * 1_000_000;
        out.putLong(at, attributes.node());
        out.putLong(at + 8, attributes.size());
        out.putLong(at + 16, attributes.blocks());
        for (int time = 0; time < 3; time++) {
            out.putLong(at + 24 + 8 * time, seconds);
            out.putInt(at + 48 + 4 * time, nanos);
        }
        out.putInt(at + 60, attributes.mode());
        out.putInt(at + 64, attributes.links());
        out.putInt(at + 68, attributes.uid());
        out.putInt(at + 72, attributes.gid());
        out.putInt(at + 80, PAGE);
    }

    /** The memory still holds an earlier reply. */
    private void clear(int length) {
        for (int i = 0; i < length; i += 8) {
            out.putLong(i, 0);
        }
    }
}
