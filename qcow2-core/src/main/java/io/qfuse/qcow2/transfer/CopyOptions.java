package io.qfuse.qcow2.transfer;

/**
 * How bytes are copied.
 *
 * @param workers threads that read, compress and write, 1 to {@link #MOST_WORKERS}, or 0 for as many as suit. Each takes the memory of two pieces, of
 *     half a mebibyte or of a cluster of the target
 * @param sparse data are looked through for zeroes, which then take no space, in pieces of this many bytes: a power of two from
 *     512 to 16 MiB, rounded up to what the target can leave out. 0 for not to look, and to write all that reads as zeroes
 */
public record CopyOptions(int workers, int sparse) {

    /** More threads than any machine keeps busy with one image. */
    public static final int MOST_WORKERS = 256;

    /** The least that zeroes are left out for when nothing else is asked for, in bytes. */
    public static final int DEFAULT_SPARSE = 4096;

    private static final int SECTOR = 512;
    private static final int MOST_SPARSE = 16 << 20;

    /** Values outside what is said are refused with an {@link IllegalArgumentException} in the words of a user. */
    public CopyOptions {
        if (workers < 0 || workers > MOST_WORKERS) {
            throw new IllegalArgumentException(workers + " workers are not possible: 1 to " + MOST_WORKERS + " are");
        }
        if (sparse != 0 && (sparse < SECTOR || sparse > MOST_SPARSE || Integer.bitCount(sparse) != 1)) {
            throw new IllegalArgumentException(
                    sparse + " bytes of zeroes cannot be looked for: it must be 0, or a power of two from 512 to 16M");
        }
    }

    /** As many workers as suit; zeroes of 4 KiB and more are left out. */
    public static CopyOptions defaults() {
        return new CopyOptions(0, DEFAULT_SPARSE);
    }

    /**
     * How many workers there are: where it is left open one a processor, and two for a target that is compressed, so that one that
     * waits for its turn leaves no processor idle. More would only wait for the lock by which a host file is written.
     */
    int workersFor(Target target) {
        int suitable = Runtime.getRuntime().availableProcessors() * (target.compressed() ? 2 : 1);
        return workers > 0 ? workers : Math.min(MOST_WORKERS, suitable);
    }
}
