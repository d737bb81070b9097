package io.qfuse.qcow2.check;

import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;

/**
 * Where a file holds more than holes. Asked in ascending order it costs two system calls for each stretch of data,
 * however many tables lie in it.
 */
final class StoredExtents {

    private final HostFile file;
    private final long size;

    // The last stretch that was found: a hole from holeFrom to dataFrom, data from there to dataTo.
    private long holeFrom;
    private long dataFrom;
    private long dataTo;

    StoredExtents(HostFile file) throws IOException {
        this.file = file;
        this.size = file.size();
    }

    /** Whether a range of the file is more than a hole; what lies behind the end is none. */
    boolean holdsData(long offset, int length) throws IOException {
        if (offset < 0 || offset >= size) {
            return false;
        }
        if (offset < holeFrom || offset >= dataTo) {
            long data = file.seekData(offset);
            holeFrom = offset;
            dataFrom = data < 0 ? Long.MAX_VALUE : data;
            dataTo = data < 0 ? Long.MAX_VALUE : file.seekHole(data);
        }
        return dataFrom < offset + length;
    }
}
