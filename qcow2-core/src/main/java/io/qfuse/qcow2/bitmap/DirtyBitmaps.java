package io.qfuse.qcow2.bitmap;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.alloc.ClusterAllocator;
import io.qfuse.qcow2.bitmap.BitmapDirectory.Placed;
import io.qfuse.qcow2.commit.Checkpoint;
import io.qfuse.qcow2.format.BitmapRecord;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.guard.FirstChange;
import io.qfuse.qcow2.guard.Health;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The persistent bitmaps of an image that is written to (format notes, section 9).
 *
 * <ol>
 *   <li>Before the first change every bitmap that records changes is loaded, and durably marked in use.
 *   <li>From then on each change of guest bytes is recorded before it is answered.
 *   <li>When the image is closed, and all else is durable, the bitmaps are written back and the marks taken away. A crash
 *       before leaves the marks: nobody trusts such a bitmap.
 *   <li>A bitmap that cannot be kept up to date is marked in use, too, and stays so; its bytes are left alone.
 *   <li>A host that fails is no reason to give up a bitmap: the change that would be the first is refused, and may come again.
 *   <li>A bitmap that is found in use is left as it is. So is one that does not record changes, unless the disk changes its
 *       size.
 * </ol>
 *
 * <p>{@link #changed} and {@link #resize} are thread-safe; {@link #save} comes last, when nobody changes anything any more.
 */
public final class DirtyBitmaps implements FirstChange {

    private static final System.Logger LOG = System.getLogger(DirtyBitmaps.class.getPackageName());

    /** What all bitmaps of an image may take in memory. */
    private static final long MOST_BYTES = 64L << 20;

    private final HostFile file;
    private final Header header;
    private final Checkpoint checkpoint;
    private final Health health;
    private final BitmapLoader loader;
    private final BitmapSaver saver;

    /** Whether the directory was read; the fields below are not looked at before. Guarded by this. */
    private boolean read;

    /** The loaded bitmaps, which are to be marked in use and saved in the end; guarded by this. */
    private final List<TrackedBitmap> loaded = new ArrayList<>();

    /** Bitmaps that cannot be kept up to date; guarded by this. */
    private final List<Placed> outdated = new ArrayList<>();

    /** Bitmaps that do not record changes and are not loaded; guarded by this. */
    private final List<Placed> disabled = new ArrayList<>();

    /** The name of a bitmap that does not fit the disk any more; null where there is none. Guarded by this. */
    private @Nullable String inconsistent;

    /**
     * The loaded bitmaps that record changes. Set before the first change is let through, which whoever changes
     * something has seen: a plain field, so that images without bitmaps pay for nothing.
     */
    private TrackedBitmap[] recording = {};

    /** The bitmaps of an image; {@code health} asks for them when the first change comes. */
    public DirtyBitmaps(
            HostFile file, Header header, ClusterAllocator allocator, Checkpoint checkpoint, Health health) {
        Geometry geometry = header.geometry();
        this.file = file;
        this.header = header;
        this.checkpoint = checkpoint;
        this.health = health;
        this.loader = new BitmapLoader(file, geometry, new BitmapMemory(MOST_BYTES));
        this.saver = new BitmapSaver(file, geometry, allocator, checkpoint);
        health.beforeFirstChange(this);
    }

    @Override
    public synchronized void prepare() throws IOException {
        if (!read) {
            readDirectory();
            read = true;
        }
        markAll();
        recording = loaded.toArray(TrackedBitmap[]::new);
    }

    private void readDirectory() throws IOException {
        Optional<BitmapDirectory> directory;
        try {
            directory = BitmapDirectory.read(file, header);
        } catch (Qcow2Exception e) {
            LOG.log(Level.WARNING, "{0}; none of the bitmaps is valid any more", e.getMessage());
            return;
        }
        if (directory.isPresent()) {
            try {
                for (Placed entry : directory.get().placed()) {
                    sort(entry);
                }
            } catch (IOException e) {
                forget();
                throw e;
            }
            health.keep(Features.BITMAPS);
        }
    }

    /** As if nothing had been read: the next change begins anew. */
    private void forget() {
        loaded.forEach(bitmap -> bitmap.bits().lose());
        loaded.clear();
        outdated.clear();
        disabled.clear();
        inconsistent = null;
    }

    private void sort(Placed entry) throws IOException {
        BitmapRecord bitmap = entry.bitmap();
        if (bitmap.has(BitmapRecord.IN_USE)) {
            inconsistent = bitmap.name();
        } else if (bitmap.isKnown() && !bitmap.has(BitmapRecord.AUTO)) {
            disabled.add(entry);
        } else {
            try {
                loaded.add(loader.load(entry, diskSize()));
            } catch (Qcow2Exception e) {
                inconsistent = bitmap.name();
                outdated.add(entry);
                complain(bitmap, String.valueOf(e.getMessage()));
            }
        }
    }

    private void markAll() throws IOException {
        for (Placed entry : outdated) {
            markInUse(entry.at(), entry.bitmap());
        }
        for (TrackedBitmap bitmap : loaded) {
            markInUse(bitmap.at(), bitmap.record());
        }
        if (!outdated.isEmpty() || !loaded.isEmpty()) {
            checkpoint.barrier();
        }
    }

    /** The disk's size before the first change. */
    private long diskSize() {
        return header.size() & -Geometry.SECTOR;
    }

    private void markInUse(long at, BitmapRecord bitmap) throws IOException {
        byte[] flags = ByteBuffer.allocate(Integer.BYTES)
                .putInt(bitmap.flags() | BitmapRecord.IN_USE)
                .array();
        file.write(at + BitmapRecord.FLAGS_AT, flags, 0, flags.length);
    }

    /** Records a change of guest bytes, or of bytes that may have changed; called behind it. */
    public void changed(long offset, long length) {
        TrackedBitmap[] bitmaps = recording;
        if (bitmaps.length > 0 && length > 0) {
            for (TrackedBitmap bitmap : bitmaps) {
                if (!bitmap.changed(offset, length)) {
                    complainOfMemory(bitmap);
                }
            }
        }
    }

    /**
     * Gets ready for another size of the disk, behind the first change: all bitmaps are loaded and marked in use.
     *
     * @throws Qcow2Exception where one is inconsistent, or cannot be loaded
     * @throws IOException where the host fails; it may be asked again
     */
    public synchronized void prepareResize() throws IOException {
        while (inconsistent == null && !disabled.isEmpty()) {
            Placed entry = disabled.get(disabled.size() - 1);
            try {
                loaded.add(loader.load(entry, diskSize()));
            } catch (Qcow2Exception e) {
                inconsistent = entry.bitmap().name(); // it stays valid on disk, since the size stays
            }
            disabled.remove(disabled.size() - 1);
        }
        if (inconsistent != null) {
            throw new Qcow2Exception(
                    Kind.UNSUPPORTED,
                    file.path(),
                    "bitmap \"" + printable(inconsistent) + "\" is inconsistent or cannot be loaded: the size cannot"
                            + " change before it is removed (qemu-img bitmap --remove)");
        }
        markAll();
    }

    /** Goes on with another size: before writes can reach a new end, and after none can reach behind it any more. */
    public synchronized void resize(long newSize) {
        for (TrackedBitmap bitmap : loaded) {
            if (!bitmap.resize(newSize)) {
                complainOfMemory(bitmap);
            }
        }
    }

    /**
     * Writes the bitmaps back, all guest bytes being durable.
     *
     * @return whether anything was written
     * @throws IOException where nothing can be made durable any more; the bitmaps stay marked then
     */
    public synchronized boolean save() throws IOException {
        List<TrackedBitmap> kept =
                loaded.stream().filter(bitmap -> !bitmap.bits().isLost()).toList();
        if (kept.isEmpty()) {
            return false;
        }
        saver.save(kept, (bitmap, why) -> complain(bitmap.record(), why));
        return true;
    }

    private void complainOfMemory(TrackedBitmap bitmap) {
        complain(bitmap.record(), file.path() + ": it takes too much memory");
    }

    private static void complain(BitmapRecord bitmap, String why) {
        LOG.log(
                Level.WARNING,
                "{0}; bitmap \"{1}\" is not kept up to date and stays marked in use",
                why,
                printable(bitmap.name()));
    }

    /** Names come from the image, which is not trusted with lines of the log. */
    private static String printable(String name) {
        return name.codePoints()
                .map(c -> Character.isISOControl(c) ? '?' : c)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
    }
}
