package io.qfuse.qcow2;

/**
 * How to open an image.
 *
 * @param writable whether the image itself may be written; backing files never are
 * @param forceShare whether to read an image that another program is writing; only without {@code writable}
 * @param cacheBytes the most that cached metadata of the whole chain take, in bytes
 * @param backingFormat what to take the backing file as where the image does not say, {@code "qcow2"}, {@code "raw"}, or
 *     empty to refuse such an image
 * @param snapshot the id or name of an internal snapshot to show instead of the present state, or empty; only without
 *     {@code writable}
 * @param withBacking whether the backing file is opened; without it zeroes are in its place
 */
public record OpenOptions(
        boolean writable,
        boolean forceShare,
        long cacheBytes,
        String backingFormat,
        String snapshot,
        boolean withBacking) {

    /** The metadata cache when nothing else is asked for: 32 MiB. */
    public static final long DEFAULT_CACHE_BYTES = 32L << 20;

    /** The present state, with its backing file. */
    public OpenOptions(boolean writable, boolean forceShare, long cacheBytes, String backingFormat) {
        this(writable, forceShare, cacheBytes, backingFormat, "", true);
    }

    /** For reading and writing, with the defaults. */
    public static OpenOptions readWrite() {
        return new OpenOptions(true, false, DEFAULT_CACHE_BYTES, "");
    }

    /** How the layers below are opened: for reading, in their present state, and whole. */
    OpenOptions below() {
        return new OpenOptions(false, forceShare, cacheBytes, backingFormat);
    }

    /** The same with another bound on cached metadata, in bytes. */
    public OpenOptions withCacheBytes(long bytes) {
        return new OpenOptions(writable, forceShare, bytes, backingFormat, snapshot, withBacking);
    }

    /** The same for an internal snapshot, read-only, given by its id or name. */
    public OpenOptions ofSnapshot(String idOrName) {
        return new OpenOptions(false, forceShare, cacheBytes, backingFormat, idOrName, withBacking);
    }

    /** The same with zeroes in the place of the backing file. */
    public OpenOptions withoutBacking() {
        return new OpenOptions(writable, forceShare, cacheBytes, backingFormat, snapshot, false);
    }

    /** For reading only, with the defaults. */
    public static OpenOptions readOnly() {
        return new OpenOptions(false, false, DEFAULT_CACHE_BYTES, "");
    }
}
