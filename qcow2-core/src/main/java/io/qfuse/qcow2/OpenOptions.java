package io.qfuse.qcow2;

/**
 * How to open an image.
 *
 * @param writable whether the image itself may be written; backing files never are
 * @param forceShare whether to read an image that another program is writing; only without {@code writable}
 * @param cacheBytes the most that cached metadata of the whole chain take, in bytes
 * @param backingFormat what to take the backing file as where the image does not say, {@code "qcow2"}, {@code "raw"}, or
 *     empty to refuse such an image
 */
public record OpenOptions(boolean writable, boolean forceShare, long cacheBytes, String backingFormat) {

    /** The metadata cache when nothing else is asked for: 32 MiB. */
    public static final long DEFAULT_CACHE_BYTES = 32L << 20;

    /** For reading and writing, with the defaults. */
    public static OpenOptions readWrite() {
        return new OpenOptions(true, false, DEFAULT_CACHE_BYTES, "");
    }

    /** The same, but for reading only: how the layers below are opened. */
    OpenOptions readOnlyToo() {
        return new OpenOptions(false, forceShare, cacheBytes, backingFormat);
    }

    /** For reading only, with the defaults. */
    public static OpenOptions readOnly() {
        return new OpenOptions(false, false, DEFAULT_CACHE_BYTES, "");
    }
}
