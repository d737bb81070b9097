package io.qfuse.qcow2;

import org.jspecify.annotations.Nullable;

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
 * @param dataFile the external data file of the image, or empty for the one that the image names
 * @param allowExternal whether the image may name a data file outside its own directory
 * @param discard what becomes of host space that the guest gives up
 * @param passphrase what opens an encrypted image and the encrypted images below it, or null; it stays the caller's
 */
public record OpenOptions(
        boolean writable,
        boolean forceShare,
        long cacheBytes,
        String backingFormat,
        String snapshot,
        boolean withBacking,
        String dataFile,
        boolean allowExternal,
        Discard discard,
        @Nullable Passphrase passphrase) {

    /** What becomes of host space that the guest gives up. The guest reads zeroes there either way. */
    public enum Discard {
        /** It is given back to the host's file system, once the giving up is durable. */
        UNMAP,
        /**
         * It stays with the image: a cluster of the image's own becomes a zero cluster that keeps its place, any other is
         * given up for use within the image, and no hole is made in any file.
         */
        IGNORE
    }

    /** The metadata cache when nothing else is asked for: 32 MiB. */
    public static final long DEFAULT_CACHE_BYTES = 32L << 20;

    /** For reading and writing, with the defaults. */
    public static OpenOptions readWrite() {
        return new OpenOptions(true, false, DEFAULT_CACHE_BYTES, "", "", true, "", false, Discard.UNMAP, null);
    }

    /** For reading only, with the defaults. */
    public static OpenOptions readOnly() {
        return readWrite().withWritable(false);
    }

    /** How the layers below are opened: for reading, in their present state, and whole. */
    OpenOptions below() {
        return withWritable(false).withSnapshot("").withBacking(true).withDataFile("");
    }

    /** The same for writing or only for reading. */
    public OpenOptions withWritable(boolean can) {
        return with(can, forceShare, cacheBytes, backingFormat, snapshot, withBacking, dataFile, allowExternal);
    }

    /** The same, read beside another writer or not. */
    public OpenOptions withForceShare(boolean force) {
        return with(writable, force, cacheBytes, backingFormat, snapshot, withBacking, dataFile, allowExternal);
    }

    /** The same with another bound on cached metadata, in bytes. */
    public OpenOptions withCacheBytes(long bytes) {
        return with(writable, forceShare, bytes, backingFormat, snapshot, withBacking, dataFile, allowExternal);
    }

    /** The same with a format for a backing file whose format is not recorded. */
    public OpenOptions withBackingFormat(String format) {
        return with(writable, forceShare, cacheBytes, format, snapshot, withBacking, dataFile, allowExternal);
    }

    /** The same for an internal snapshot by its id or name, or empty for the present state. */
    public OpenOptions withSnapshot(String idOrName) {
        return with(writable, forceShare, cacheBytes, backingFormat, idOrName, withBacking, dataFile, allowExternal);
    }

    /** The same for an internal snapshot, read-only, given by its id or name. */
    public OpenOptions ofSnapshot(String idOrName) {
        return withWritable(false).withSnapshot(idOrName);
    }

    /** The same with the backing file, or with zeroes in its place. */
    public OpenOptions withBacking(boolean whether) {
        return with(writable, forceShare, cacheBytes, backingFormat, snapshot, whether, dataFile, allowExternal);
    }

    /** The same with another external data file, or empty for the one that the image names. */
    public OpenOptions withDataFile(String file) {
        return with(writable, forceShare, cacheBytes, backingFormat, snapshot, withBacking, file, allowExternal);
    }

    /** The same, following data files outside the image's directory or not. */
    public OpenOptions withAllowExternal(boolean allow) {
        return with(writable, forceShare, cacheBytes, backingFormat, snapshot, withBacking, dataFile, allow);
    }

    /** The same with a passphrase, which the caller closes. */
    public OpenOptions withPassphrase(@Nullable Passphrase secret) {
        return new OpenOptions(
                writable,
                forceShare,
                cacheBytes,
                backingFormat,
                snapshot,
                withBacking,
                dataFile,
                allowExternal,
                discard,
                secret);
    }

    /** The same with another fate of what the guest gives up. */
    public OpenOptions withDiscard(Discard what) {
        return new OpenOptions(
                writable,
                forceShare,
                cacheBytes,
                backingFormat,
                snapshot,
                withBacking,
                dataFile,
                allowExternal,
                what,
                passphrase);
    }

    private OpenOptions with(
            boolean can,
            boolean force,
            long bytes,
            String format,
            String idOrName,
            boolean whole,
            String file,
            boolean allow) {
        return new OpenOptions(can, force, bytes, format, idOrName, whole, file, allow, discard, passphrase);
    }
}
