package io.qfuse.qcow2.guard;

import io.qfuse.qcow2.format.HeaderField;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Changes single fields of the header, each by one write that lies within one sector; the caller orders the writes by
 * barriers.
 */
public final class HeaderPatch {

    private static final int LOCATION_BYTES = Long.BYTES + Integer.BYTES;

    private final HostFile file;
    private final @Nullable MetadataClusters metadata;

    /** Patches of one file that are refused where the header shares its cluster. */
    public HeaderPatch(HostFile file, MetadataClusters metadata) {
        this.file = file;
        this.metadata = metadata;
    }

    /**
     * Patches that are written whatever else is wrong: of the bits that warn others, and of a repair, which has counted for
     * itself what lies where.
     */
    public HeaderPatch(HostFile file) {
        this.file = file;
        this.metadata = null;
    }

    /** Names another L1 table. */
    public void l1(int entries, long offset) throws IOException {
        byte[] value = new byte[LOCATION_BYTES];
        ByteBuffer.wrap(value).putInt(entries).putLong(offset);
        write(HeaderField.L1, value);
    }

    /** Names another refcount table. */
    public void refcountTable(long offset, int clusters) throws IOException {
        byte[] value = new byte[LOCATION_BYTES];
        ByteBuffer.wrap(value).putLong(offset).putInt(clusters);
        write(HeaderField.REFCOUNT_TABLE, value);
    }

    /** Sets a field of eight bytes. */
    public void u64(int field, long content) throws IOException {
        byte[] value = new byte[Long.BYTES];
        ByteBuffer.wrap(value).putLong(content);
        write(field, value);
    }

    private void write(int field, byte[] value) throws IOException {
        if (metadata != null) {
            metadata.requireAlone(MetadataRole.HEADER, field, value.length);
        }
        file.write(field, value, 0, value.length);
    }
}
