package io.qfuse.qcow2.map;

/**
 * Where a run of guest bytes is, within one image; runs end at subclusters.
 *
 * @param kind what the tables say of all of it
 * @param inPlace whether the host clusters belong to this run alone, so that they may be written
 * @param host the host offset of the run's first byte; {@link #NONE} where there is none; for {@link Kind#COMPRESSED} the
 *     raw entry
 * @param length bytes of the run, from the offset that was looked up
 */
public record Mapping(Kind kind, boolean inPlace, long host, long length) {

    /** The {@link #host} of a run that has no host clusters. */
    public static final long NONE = -1;

    /** What the tables say of a run. */
    public enum Kind {
        /**
         * Nothing: the backing layer shows through, or zeroes. Other subclusters of the same cluster may have given it a
         * host cluster.
         */
        UNALLOCATED,
        /** Zeroes; host clusters may be reserved, and hold junk. */
        ZERO,
        /** Host clusters hold the bytes. */
        DATA,
        /** One cluster, stored compressed. */
        COMPRESSED
    }

    /** Whether host clusters are set aside for the run, whether or not they hold its bytes. */
    public boolean hasHost() {
        return host != NONE;
    }
}
