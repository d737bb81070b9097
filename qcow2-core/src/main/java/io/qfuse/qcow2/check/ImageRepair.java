package io.qfuse.qcow2.check;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderField;
import io.qfuse.qcow2.guard.HeaderPatch;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.lang.System.Logger.Level;
import org.jspecify.annotations.Nullable;

/**
 * Makes the refcounts and COPIED flags of a dirty image what its tables say, as {@code qemu-img check -r all} does, and ends
 * its dirty state (format notes, sections 2 and 21). What a user asks for is {@link RequestedRepair}.
 *
 * <h2>What</h2>
 *
 * <ol>
 *   <li>All references are counted by following the tables; no stored refcount is looked at for it.
 *   <li>Anything found on the way that other counts cannot mend ends the repair before the first byte is written.
 *   <li>Where the refcount table and its blocks are sound and have a place for every count, wrong counts are corrected in
 *       place. Otherwise a whole new structure is written where nothing can be ({@link RefcountRebuild}); a barrier; one
 *       write of 12 bytes in the header names it.
 *   <li>A barrier; COPIED flags of the active tables that disagree with the new counts are turned over.
 *   <li>A barrier, which also makes durable whatever the tables were read from; the dirty bit is cleared; a barrier.
 * </ol>
 *
 * <h2>Why it is safe at every moment</h2>
 *
 * The dirty bit says that nobody may go by a refcount or a COPIED flag, and it is durable until all of this is. So the
 * only thing that an interrupted repair has to leave whole is what the next one starts from: the header, and the tables
 * from L1 down but for COPIED.
 *
 * <ul>
 *   <li>Counts in place: only clusters are written that the refcount table names, and that nothing else refers to. Any
 *       part of it may be there after a crash, torn anywhere.
 *   <li>A new structure: it lies behind the end of the file and behind all references, so nothing else is there; until the
 *       header names it, it is garbage behind an image that is as it was. The switch lies within one sector. After it the
 *       structure is sound, and behind it lie the same tables as before.
 *   <li>COPIED: entries change in that one bit, so a table torn between old and new sectors refers to the same clusters.
 *   <li>The dirty bit goes in a sector by itself, behind everything.
 * </ul>
 *
 * <p>So a repair that is cut off, by power loss too, is simply made again by whoever opens the image next, and what it
 * computes is the same.
 *
 * <h2>Why not less</h2>
 *
 * Setting only counts that are too low would be enough for safety, and would leave what QEMU's lazy mode lost as leaks
 * for ever. Mending a damaged table or block where it is would need to know that nothing else lies there, for which the damage
 * must be told from what it damaged; writing anew needs no such knowledge.
 *
 * <p>Memory: what {@link RefcountTally} takes, the refcount table twice, and a few clusters. Time: linear in the bytes of the
 * image that are no holes.
 */
public final class ImageRepair {

    private static final System.Logger LOG = System.getLogger(ImageRepair.class.getPackageName());

    private final HostFile file;
    private final Header header;

    private ImageRepair(HostFile file, Header header) {
        this.file = file;
        this.header = header;
    }

    /**
     * Repairs an image that is marked dirty; one that is not is left alone. The caller holds the image's lock for writing.
     *
     * @param file the image
     * @param header its header, whose features are known and which is not marked corrupt
     * @return its header afterwards
     * @throws Qcow2Exception of kind CORRUPT where more is wrong than refcounts and COPIED flags, of kind UNSUPPORTED where
     *     the references are too many to be counted, of kind NO_SPACE where the format has no room for new refcounts; nothing was written then
     * @throws IOException where the host fails; the image is still dirty, unless it was the very last barrier that failed
     */
    public static Header ifDirty(HostFile file, Header header) throws IOException {
        if ((header.incompatible() & Features.DIRTY) == 0) {
            return header;
        }
        new ImageRepair(file, header).repair();
        return HeaderReader.read(file);
    }

    private void repair() throws IOException {
        CheckReport counts = new CheckReport();
        RefcountTally tally = correctInPlace(counts);
        boolean inPlace = tally != null;
        if (tally == null) {
            tally = references();
            new RefcountRebuild(file, header, tally).write();
        }
        file.sync();
        CheckReport flags = new CheckReport();
        new CopiedCheck(file, header, tally::get, flags).correct();
        file.sync();
        new HeaderPatch(file).u64(HeaderField.INCOMPATIBLE, header.incompatible() & ~Features.DIRTY);
        file.sync();
        String what =
                inPlace ? counts.corruptions() + counts.leaks() + " refcounts" : "all refcounts, now in a new place,";
        LOG.log(
                Level.WARNING,
                file.path() + " was dirty: repaired " + what + " and " + flags.corruptions() + " COPIED flags");
    }

    /** Corrects the counts where they are and returns the references; null, and nothing written, where that cannot be. */
    private @Nullable RefcountTally correctInPlace(CheckReport counts) throws IOException {
        RefcountTally tally = references();
        StoredRefcounts stored = new StoredRefcounts(file, header);
        if (!stored.countReferences(tally, new CheckReport()) || !stored.cover(tally)) {
            return null;
        }
        stored.correct(tally, StoredRefcounts.Correction.ALL, counts);
        return tally;
    }

    private RefcountTally references() throws IOException {
        CheckReport found = new CheckReport();
        RefcountTally tally = References.count(file, header, found);
        if (!found.isClean()) {
            throw new Qcow2Exception(
                    Kind.CORRUPT,
                    file.path(),
                    "dirty, and more is wrong than its refcounts: "
                            + found.findings().get(0).sentence() + "; run qfuse check -r all");
        }
        return tally;
    }
}
