package io.qfuse.qcow2.check;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.check.Finding.Unaligned;
import io.qfuse.qcow2.check.StoredRefcounts.Correction;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderField;
import io.qfuse.qcow2.guard.HeaderPatch;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;

/**
 * What {@code check -r} does to an image, dirty, corrupt, or neither (format notes, section 21).
 *
 * <h2>What</h2>
 *
 * <ol>
 *   <li>A barrier: what the tables were read from is durable from here on. Autoclear bits of others are cleared.
 *   <li>Where everything is to be repaired: space in reserve that lies where none can be is given up ({@link ReserveRepair}).
 *   <li>All references are counted. Where something is wrong with a table, what it named is not known: no refcount is lowered
 *       then, since what looks leaked may be what is missing, and no table is written, since it may lie on another.
 *   <li>Counts are corrected in place; where the refcount structure is itself damaged, a new one is written behind everything
 *       ({@link RefcountRebuild}), unless a table is damaged too. A barrier.
 *   <li>COPIED flags are made what the counts say. A barrier.
 *   <li>The image is checked again. Only if nothing worse than leaks is left, the dirty and corrupt bits are cleared. A barrier.
 * </ol>
 *
 * <h2>Why it is safe at every moment</h2>
 *
 * Each step leaves every cluster as it was or better, whatever part of it became durable: a count is an aligned word that
 * becomes what it has to be, independent of all others, and nobody allocates meanwhile; only what nothing durable
 * refers to is lowered to 0; a flag becomes what a count that is already durable says. A new structure is named by one
 * write within a sector, behind a barrier. So this needs no dirty bit, which images of version 2 do not have: a repair that
 * is cut off leaves an image with fewer faults, and can be made again.
 */
public final class RequestedRepair {

    /** How much is to be repaired. */
    public enum Extent {
        /** Leaked clusters only: space is given back, and nothing else is touched. */
        LEAKS,
        /** All that can be. */
        ALL
    }

    /**
     * What was repaired.
     *
     * @param leaks clusters whose refcount was lowered
     * @param corruptions counts raised, flags and entries corrected
     */
    public record Repaired(long leaks, long corruptions) {

        /** Nothing. */
        public static final Repaired NOTHING = new Repaired(0, 0);
    }

    private final HostFile file;
    private final Extent extent;

    private RequestedRepair(HostFile file, Extent extent) {
        this.file = file;
        this.extent = extent;
    }

    /**
     * Repairs an image. The caller holds its lock for writing.
     *
     * @param found what a check has just found
     * @return what was repaired
     * @throws Qcow2Exception of kind UNSUPPORTED where counting takes too much memory, of kind NO_SPACE where the format has no room
     *     for new refcounts
     * @throws IOException where the host fails; what was repaired so far is sound
     */
    public static Repaired repair(HostFile file, Extent extent, CheckReport found) throws IOException {
        return new RequestedRepair(file, extent).repair(found);
    }

    private Repaired repair(CheckReport found) throws IOException {
        Header header = HeaderReader.read(file);
        boolean marked = (header.incompatible() & (Features.DIRTY | Features.CORRUPT)) != 0;
        Repaired repaired = Repaired.NOTHING;
        boolean clean = found.isSafe();
        if (!found.isClean()) {
            file.sync();
            header = forgetOthers(header);
            repaired = repairTables(header, found);
            clean = ImageChecker.check(file).isSafe();
        }
        if (marked && clean) {
            new HeaderPatch(file)
                    .u64(HeaderField.INCOMPATIBLE, header.incompatible() & ~(Features.DIRTY | Features.CORRUPT));
            file.sync();
        }
        return repaired;
    }

    /** Whoever changes an image clears the bits that say that something he does not know is up to date. */
    private Header forgetOthers(Header header) throws IOException {
        long known = Features.BITMAPS | Features.RAW_EXTERNAL_DATA;
        if (header.version() >= 3 && (header.autoclear() & ~known) != 0) {
            new HeaderPatch(file).u64(HeaderField.AUTOCLEAR, header.autoclear() & known);
            file.sync();
            return HeaderReader.read(file);
        }
        return header;
    }

    private Repaired repairTables(Header header, CheckReport found) throws IOException {
        CheckReport damage = new CheckReport();
        RefcountTally tally = References.count(file, header, damage);
        boolean allKnown = damage.isClean();
        StoredRefcounts stored = new StoredRefcounts(file, header);
        boolean sound = stored.countReferences(tally, new CheckReport());
        boolean all = extent == Extent.ALL;
        if (all && sound && !allKnown && isReserveOnly(damage)) {
            long entries = new ReserveRepair(file, header).correct(header);
            if (entries > 0) {
                Repaired rest = repairTables(header, found);
                return new Repaired(rest.leaks(), rest.corruptions() + entries);
            }
        }
        if (sound && (!all || stored.cover(tally))) {
            return correctInPlace(header, stored, tally, allKnown);
        }
        return all && allKnown ? rebuild(header, found) : Repaired.NOTHING;
    }

    private static boolean isReserveOnly(CheckReport damage) {
        return damage.unnamed() == 0
                && damage.findings().stream()
                        .allMatch(finding -> finding instanceof Unaligned place && place.reserve());
    }

    private Repaired correctInPlace(Header header, StoredRefcounts stored, RefcountTally tally, boolean allKnown)
            throws IOException {
        CheckReport counts = new CheckReport();
        stored.correct(tally, new Correction(extent == Extent.ALL, allKnown), counts);
        file.sync();
        long flags = allKnown ? correctFlags(header) : 0;
        // A flag of a cluster that leaked is no fault of its own.
        return new Repaired(counts.leaks(), extent == Extent.ALL ? counts.corruptions() + flags : 0);
    }

    private Repaired rebuild(Header header, CheckReport found) throws IOException {
        new RefcountRebuild(file, header, References.count(file, header, new CheckReport())).write();
        correctFlags(HeaderReader.read(file));
        CheckReport left = ImageChecker.check(file);
        return new Repaired(
                Math.max(0, found.leaks() - left.leaks()), Math.max(0, found.corruptions() - left.corruptions()));
    }

    private long correctFlags(Header header) throws IOException {
        StoredRefcounts stored = new StoredRefcounts(file, header);
        CopiedCheck flags = new CopiedCheck(file, header, stored::get, new CheckReport());
        if (extent == Extent.ALL) {
            flags.correct();
        } else {
            flags.set(); // where a count has become 1
        }
        file.sync();
        return flags.corrected();
    }
}
