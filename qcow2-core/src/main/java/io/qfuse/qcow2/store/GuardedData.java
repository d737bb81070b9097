package io.qfuse.qcow2.store;

import io.qfuse.qcow2.guard.MetadataClusters;
import java.io.IOException;

/** Guest bytes in a file that also holds metadata: writing them there is refused (format notes, section 23). */
public final class GuardedData implements GuestData {

    private final GuestData data;
    private final MetadataClusters metadata;

    /** Data among metadata. */
    public GuardedData(GuestData data, MetadataClusters metadata) {
        this.data = data;
        this.metadata = metadata;
    }

    @Override
    public void read(long host, long guest, long address, int length) throws IOException {
        data.read(host, guest, address, length);
    }

    @Override
    public void write(long host, long guest, long address, int length) throws IOException {
        metadata.requireData(host, length);
        data.write(host, guest, address, length);
    }

    @Override
    public void allocate(long host, long length) throws IOException {
        metadata.requireData(host, length);
        data.allocate(host, length);
    }

    @Override
    public void sync() throws IOException {
        data.sync();
    }

    @Override
    public boolean holesAreZeroes() {
        return data.holesAreZeroes();
    }

    @Override
    public boolean needsHold(long guest, int length) {
        return data.needsHold(guest, length);
    }

    @Override
    public void close() throws IOException {
        data.close();
    }
}
