package io.qfuse.qcow2.store;

import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;

/** Guest bytes as they are: in the image's own file, or in an external data file. */
public final class PlainData implements GuestData {

    private final HostFile file;

    /** Data in a file, which is closed with them. */
    public PlainData(HostFile file) {
        this.file = file;
    }

    @Override
    public void read(long host, long guest, long address, int length) throws IOException {
        file.read(host, address, length);
    }

    @Override
    public void write(long host, long guest, long address, int length) throws IOException {
        file.write(host, address, length);
    }

    @Override
    public void allocate(long host, long length) throws IOException {
        file.allocate(host, length);
    }

    @Override
    public void sync() throws IOException {
        file.sync();
    }

    @Override
    public boolean holesAreZeroes() {
        return true;
    }

    @Override
    public boolean needsHold(long guest, int length) {
        return false;
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
