package io.qfuse.qcow2.testing;

import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.file.Path;

/** A host file that hands every call on, for tests that watch or disturb some of them. */
public class ForwardingFile implements HostFile {

    private final HostFile to;

    /** Forwards to another file. */
    public ForwardingFile(HostFile to) {
        this.to = to;
    }

    /** Called before each call that changes the file or makes changes durable. */
    protected void before(String call, long offset, long length) throws IOException {}

    @Override
    public Path path() {
        return to.path();
    }

    @Override
    public long size() throws IOException {
        return to.size();
    }

    @Override
    public long allocatedBytes() throws IOException {
        return to.allocatedBytes();
    }

    @Override
    public void read(long offset, long address, int length) throws IOException {
        to.read(offset, address, length);
    }

    @Override
    public void read(long offset, byte[] into) throws IOException {
        to.read(offset, into);
    }

    @Override
    public void write(long offset, long address, int length) throws IOException {
        before("write", offset, length);
        to.write(offset, address, length);
    }

    @Override
    public void write(long offset, byte[] from, int start, int length) throws IOException {
        before("write", offset, length);
        to.write(offset, from, start, length);
    }

    @Override
    public void writeZeroes(long offset, long length) throws IOException {
        before("writeZeroes", offset, length);
        to.writeZeroes(offset, length);
    }

    @Override
    public void punchHole(long offset, long length) throws IOException {
        before("punchHole", offset, length);
        to.punchHole(offset, length);
    }

    @Override
    public void allocate(long offset, long length) throws IOException {
        before("allocate", offset, length);
        to.allocate(offset, length);
    }

    @Override
    public void truncate(long size) throws IOException {
        before("truncate", size, 0);
        to.truncate(size);
    }

    @Override
    public void sync() throws IOException {
        before("sync", 0, 0);
        to.sync();
    }

    @Override
    public long seekData(long offset) throws IOException {
        return to.seekData(offset);
    }

    @Override
    public long seekHole(long offset) throws IOException {
        return to.seekHole(offset);
    }

    @Override
    public void close() throws IOException {
        to.close();
    }
}
