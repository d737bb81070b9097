package io.qfuse.cache;

/**
 * A copy of a dirty slice, to be written while the slice goes on changing.
 *
 * @param slice the slice it was taken from
 * @param version the slice's version at that time
 * @param bytes its content at that time, owned by the receiver
 */
@SuppressWarnings("ArrayRecordComponent") // compared by nobody
public record CapturedSlice(Slice slice, long version, byte[] bytes) {

    /** Where the slice begins, in bytes. */
    public long offset() {
        return slice.offset();
    }
}
