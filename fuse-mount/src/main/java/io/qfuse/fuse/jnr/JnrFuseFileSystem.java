package io.qfuse.fuse.jnr;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ImageFileSystem;
import io.qfuse.fuse.NodeAttributes;
import io.qfuse.fuse.Statistics;
import java.io.IOException;
import jnr.ffi.Pointer;
import ru.serce.jnrfuse.FuseFillDir;
import ru.serce.jnrfuse.FuseStubFS;
import ru.serce.jnrfuse.struct.FileStat;
import ru.serce.jnrfuse.struct.FuseFileInfo;
import ru.serce.jnrfuse.struct.FuseOperations;
import ru.serce.jnrfuse.struct.Statvfs;
import ru.serce.jnrfuse.struct.Timespec;

/**
 * The file system as jnr-fuse wants it: by path, with zero or a negative error number as the answer.
 *
 * <p>What libfuse2 cannot do, compared with the kernel transport:
 *
 * <ul>
 *   <li>a request carries at most 128 KiB, not 1 MiB;
 *   <li>direct I/O is served one request at a time for each client thread, however deep its queue;
 *   <li>a request costs a call from C, a path as a string and a copy or two: about three times the processor's time;
 *   <li>all threads share one descriptor.
 * </ul>
 *
 * <p>It has no lseek operation either; {@link Libfuse2Transport} answers that one itself. An open file's handle is its
 * node's number, so that it can.
 */
final class JnrFuseFileSystem extends FuseStubFS {

    private final ImageFileSystem files;

    /** What this thread's last operation has answered: the library does not tell who has it serve a request. */
    private final ThreadLocal<int[]> result = ThreadLocal.withInitial(() -> new int[1]);

    JnrFuseFileSystem(ImageFileSystem files) {
        this.files = files;
    }

    /** The table of callbacks for the library. */
    FuseOperations operations() {
        return fuseOperations;
    }

    /** An operation that may fail. */
    @FunctionalInterface
    private interface Operation {
        int run() throws IOException;
    }

    private int answer(Operation operation) {
        int answer;
        try {
            answer = operation.run();
        } catch (IOException | RuntimeException | Error e) {
            // An exception must not unwind into C.
            answer = -Errno.logged(e);
        }
        result.get()[0] = answer;
        return answer;
    }

    /** The answer of the operation that was called on this thread since the last call, 0 where none was. */
    int takeResult() {
        int[] last = result.get();
        int answer = last[0];
        last[0] = 0;
        return answer;
    }

    private long node(String path) throws IOException {
        long node = ImageFileSystem.ROOT;
        for (String name : path.substring(1).split("/", -1)) {
            node = name.isEmpty() ? node : files.lookup(node, name);
        }
        return node;
    }

    private static long node(FuseFileInfo file) {
        return file.fh.longValue();
    }

    @Override
    public int getattr(String path, FileStat stat) {
        return answer(() -> {
            NodeAttributes attributes = files.attributes(node(path));
            stat.st_ino.set(attributes.node());
            stat.st_mode.set(attributes.mode());
            stat.st_nlink.set(attributes.links());
            stat.st_uid.set(attributes.uid());
            stat.st_gid.set(attributes.gid());
            stat.st_size.set(attributes.size());
            stat.st_blocks.set(attributes.blocks());
            stat.st_blksize.set(Statistics.BLOCK);
            for (Timespec time : new Timespec[] {stat.st_atim, stat.st_mtim, stat.st_ctim}) {
                time.tv_sec.set(Math.floorDiv(attributes.modifiedMillis(), 1000L));
                time.tv_nsec.set(Math.floorMod(attributes.modifiedMillis(), 1000L) * 1_000_000);
            }
            return 0;
        });
    }

    @Override
    public int chmod(String path, long mode) {
        return answer(() -> {
            files.chmod(node(path), (int) mode);
            return 0;
        });
    }

    @Override
    public int chown(String path, long uid, long gid) {
        return answer(() -> {
            files.chown(node(path), (int) uid, (int) gid);
            return 0;
        });
    }

    @Override
    public int truncate(String path, long size) {
        return answer(() -> {
            files.resize(node(path), size);
            return 0;
        });
    }

    /** Times are taken as said and forgotten: a disk's are those of its last change. */
    @Override
    public int utimens(String path, Timespec[] times) {
        return 0;
    }

    @Override
    public int access(String path, int mask) {
        return answer(() -> {
            files.access(node(path), mask);
            return 0;
        });
    }

    @Override
    public int open(String path, FuseFileInfo file) {
        return answer(() -> {
            long node = node(path);
            files.open(node, file.flags.intValue());
            file.fh.set(node);
            return 0;
        });
    }

    @Override
    public int read(String path, Pointer into, long size, long offset, FuseFileInfo file) {
        return answer(() -> files.read(node(file), offset, into.address(), (int) size));
    }

    @Override
    public int write(String path, Pointer from, long size, long offset, FuseFileInfo file) {
        return answer(() -> files.write(node(file), offset, from.address(), (int) size));
    }

    @Override
    public int fallocate(String path, int mode, long offset, long length, FuseFileInfo file) {
        return answer(() -> {
            files.allocate(node(file), mode, offset, length);
            return 0;
        });
    }

    @Override
    public int fsync(String path, int dataOnly, FuseFileInfo file) {
        return answer(() -> {
            files.sync(node(path));
            return 0;
        });
    }

    @Override
    public int fsyncdir(String path, FuseFileInfo directory) {
        return fsync(path, 0, directory);
    }

    @Override
    public int readdir(String path, Pointer buffer, FuseFillDir filler, long offset, FuseFileInfo directory) {
        return answer(() -> {
            filler.apply(buffer, ".", null, 0);
            filler.apply(buffer, "..", null, 0);
            for (String name : files.names(node(path))) {
                filler.apply(buffer, name, null, 0);
            }
            return 0;
        });
    }

    @Override
    public int statfs(String path, Statvfs into) {
        return answer(() -> {
            Statistics statistics = files.statistics();
            into.f_bsize.set(Statistics.BLOCK);
            into.f_frsize.set(Statistics.BLOCK);
            into.f_blocks.set(statistics.capacity() / Statistics.BLOCK);
            into.f_bfree.set(statistics.free() / Statistics.BLOCK);
            into.f_bavail.set(statistics.free() / Statistics.BLOCK);
            into.f_files.set(statistics.files());
            into.f_namemax.set(255);
            return 0;
        });
    }
}
