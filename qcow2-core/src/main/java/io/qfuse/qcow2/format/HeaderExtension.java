package io.qfuse.qcow2.format;

/**
 * One header extension, its data uninterpreted (format notes, section 3).
 *
 * @param type its id
 * @param data its bytes without padding; callers do not modify them
 */
@SuppressWarnings("ArrayRecordComponent") // compared by nobody; the bytes are kept as they were found
public record HeaderExtension(int type, byte[] data) {

    /** The name of the backing file's format. */
    public static final int BACKING_FORMAT = 0xe2792aca;
    /** Names of feature bits, for messages. */
    public static final int FEATURE_NAMES = 0x6803f857;
    /** Persistent dirty bitmaps. */
    public static final int BITMAPS = 0x23852875;
    /** Where the LUKS header is. */
    public static final int CRYPTO = 0x0537be77;
    /** The name of the external data file. */
    public static final int DATA_FILE = 0x44415441;
}
