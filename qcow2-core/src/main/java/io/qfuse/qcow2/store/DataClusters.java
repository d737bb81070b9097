package io.qfuse.qcow2.store;

import io.qfuse.qcow2.alloc.HostRun;
import java.io.IOException;

/**
 * Host clusters for guest bytes: who gives them out and takes them back, and who hears what becomes of the bytes. Which of
 * them belongs to which guest cluster is the map's business.
 *
 * <p>Safe for use by many threads that hold the guest clusters they speak of exclusively.
 */
public interface DataClusters {

    /** Gives the guest cluster at {@code guest} and up to {@code most - 1} behind it adjacent host clusters. */
    HostRun allocate(long guest, int most) throws IOException;

    /** Takes back clusters that no entry has ever named. */
    void abandon(HostRun run) throws IOException;

    /** Refuses to take host clusters back that hold no guest bytes; asked before their entries change. */
    void requireFreeable(long host, long clusters) throws IOException;

    /**
     * Takes back host clusters whose entries have just been changed in memory.
     *
     * @param punch whether their host space shall be given back too
     */
    void free(long host, long clusters, boolean punch);

    /**
     * Hears that entries are about to say that whole subclusters read as zeroes, or that they are not allocated.
     *
     * @param unmap whether host space may be given back
     */
    void zero(long guest, long length, boolean unmap) throws IOException;

    /** Whether host space may be given back; where it may not, nobody asks for it. */
    boolean unmaps();

    /** Hears that the disk is about to grow, or has just become smaller. */
    void resize(long from, long to) throws IOException;

    /** Host space taken outside the image's own file, in bytes. */
    long allocatedBytes() throws IOException;
}
